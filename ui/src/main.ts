// Opens the window on the backend of this bundle.

import './app.css';
import { mount } from 'svelte';
import { chooseBackend } from '$lib/backend/choose';
import App from './routes/App.svelte';

const target = document.getElementById('window');
if (!target) throw new Error('the page has no #window');

void chooseBackend().then((backend) => mount(App, { target, props: { backend } }));
