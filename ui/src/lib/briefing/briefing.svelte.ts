// One briefing as last fetched, and whether its bytes changed under the reader.

import type { Backend } from '$lib/backend/backend';
import { asProblem } from '$lib/backend/problem';
import type { BriefingView } from '$lib/bindings/BriefingView';
import type { Problem } from '$lib/bindings/Problem';

/** Digest of the briefing's bytes: what the reader sees and would sign for. */
export function shown(view: BriefingView): string | null {
  return view.digests.find(({ name }) => name === 'briefing')?.sha256 ?? null;
}

export class Briefing {
  readonly id: string;
  view = $state.raw<BriefingView | null>(null);
  problem = $state<Problem | null>(null);
  /** Whether other bytes came than were first read. */
  replaced = $state(false);
  readonly #backend: Backend;
  #fetching = false;
  #again = false;

  constructor(backend: Backend, id: string) {
    this.#backend = backend;
    this.id = id;
  }

  async load(): Promise<void> {
    if (this.#fetching) {
      this.#again = true;
      return;
    }
    this.#fetching = true;
    try {
      do {
        this.#again = false;
        const view = await this.#backend.call('briefing', { id: this.id });
        if (this.view && shown(this.view) !== shown(view)) this.replaced = true;
        this.view = view;
        this.problem = null;
      } while (this.#again);
    } catch (thrown) {
      this.problem = asProblem(thrown);
    } finally {
      this.#fetching = false;
    }
  }
}
