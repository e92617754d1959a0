// Which backend this bundle speaks to.

import type { Backend } from './backend';
import { TauriBackend } from './tauri';

/** The shell; in a browser, with `--mode memory`, the sample organisation in memory. */
export async function chooseBackend(): Promise<Backend> {
  if (import.meta.env.MODE === 'memory' && !('__TAURI_INTERNALS__' in window)) {
    const { MemoryBackend } = await import('./memory/memory');
    return new MemoryBackend(new URLSearchParams(window.location.search));
  }
  return new TauriBackend();
}
