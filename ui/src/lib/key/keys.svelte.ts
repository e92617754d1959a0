// The hardware keys that are present, looked for again while somebody may be inserting one.

import type { Backend } from '$lib/backend/backend';
import { asProblem } from '$lib/backend/problem';
import type { KeyView } from '$lib/bindings/KeyView';
import type { Problem } from '$lib/bindings/Problem';

const LOOK_EVERY_MS = 1_500;

export class Keys {
  list = $state<KeyView[] | null>(null);
  problem = $state<Problem | null>(null);
  chosen = $state<string | null>(null);
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** Looks now and then until told to stop. */
  watch(): () => void {
    let stopped = false;
    const look = async () => {
      await this.look();
      if (!stopped) timer = setTimeout(() => void look(), LOOK_EVERY_MS);
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    void look();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }

  async look(): Promise<void> {
    try {
      const list = await this.#backend.call('keys');
      this.problem = null;
      this.list = list;
      if (!list.some(({ id }) => id === this.chosen)) this.chosen = null;
      // The only key there is needs no choosing.
      if (this.chosen === null && list.length === 1) this.chosen = list[0]?.id ?? null;
    } catch (thrown) {
      this.problem = asProblem(thrown);
    }
  }
}
