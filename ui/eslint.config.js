import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';
import svelteConfig from './svelte.config.js';

// Which folder of src/lib may import which. `components` knows no domain; a domain knows itself, the
// words all share, and the domains listed here; `routes` composes; only `backend` speaks to Tauri.
const domains = {
  words: [],
  queue: ['words'],
  key: ['words'],
  session: ['words', 'key'],
  signing: ['words', 'key'],
  briefing: ['words', 'signing'],
  operation: ['words', 'signing'],
};

const tauri = {
  group: ['@tauri-apps/*'],
  message: 'Only src/lib/backend/ speaks to Tauri.',
};
const routes = {
  group: ['**/routes/*', '**/routes'],
  message: 'Routes compose; nothing imports them.',
};
const memory = {
  group: ['**/backend/memory/*', '**/backend/tauri', '**/backend/choose'],
  message: 'Take the Backend as an argument; main.ts chooses it.',
};

function without(folders, message) {
  return folders.map((folder) => ({
    group: [`$lib/${folder}/*`, `$lib/${folder}`, `../${folder}/*`, `../../${folder}/*`],
    message,
  }));
}

function restrict(files, patterns, ignores = []) {
  return { files, ignores, rules: { 'no-restricted-imports': ['error', { patterns }] } };
}

const names = Object.keys(domains);

export default ts.config(
  { ignores: ['dist', 'dist-memory', 'src/lib/bindings', 'screenshots'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...ts.configs.stylistic,
  ...svelte.configs.recommended,
  ...svelte.configs.prettier,
  {
    languageOptions: { globals: { ...globals.browser } },
    rules: {
      eqeqeq: ['error', 'always'],
      'no-console': 'error',
      // Nothing from the network is rendered as HTML.
      'svelte/no-at-html-tags': 'error',
      // The CSP has no 'unsafe-inline': a style attribute in markup would be dropped.
      // (`style:` directives set properties, which the CSP allows.)
      'no-restricted-syntax': [
        'error',
        { selector: "SvelteAttribute[key.name='style']", message: 'Use a style: directive.' },
      ],
      'svelte/require-each-key': 'error',
      'svelte/no-navigation-without-resolve': 'off',
      '@typescript-eslint/consistent-type-definitions': ['error', 'interface'],
      'no-restricted-properties': [
        'error',
        { property: 'innerHTML', message: 'Nothing is rendered as HTML.' },
        { property: 'outerHTML', message: 'Nothing is rendered as HTML.' },
        { property: 'insertAdjacentHTML', message: 'Nothing is rendered as HTML.' },
      ],
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: {
      parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'], svelteConfig },
    },
  },
  {
    files: ['*.js', '*.ts', 'tests/**'],
    languageOptions: { globals: { ...globals.node } },
    rules: { 'no-console': 'off' },
  },
  restrict(['src/**'], [tauri, memory], ['src/lib/backend/**', 'src/main.ts', 'src/lib/**']),
  restrict(
    ['src/lib/components/**'],
    [tauri, routes, ...without([...names, 'backend', 'bindings'], 'Components know no domain.')],
  ),
  ...names.map((name) =>
    restrict(
      [`src/lib/${name}/**`],
      [
        tauri,
        routes,
        memory,
        ...without(
          names.filter((other) => other !== name && !domains[name].includes(other)),
          `${name} does not know this domain; compose the two in src/routes/.`,
        ),
      ],
    ),
  ),
);
