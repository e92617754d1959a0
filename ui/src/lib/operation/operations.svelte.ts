// Operations as last fetched: the list, and one in full.

import type { Backend } from '$lib/backend/backend';
import { asProblem } from '$lib/backend/problem';
import type { OperationRow } from '$lib/bindings/OperationRow';
import type { OperationState } from '$lib/bindings/OperationState';
import type { OperationView } from '$lib/bindings/OperationView';
import type { Problem } from '$lib/bindings/Problem';

/** States that wait for a person or move by themselves: what the section counts. */
export const OPEN_STATES: readonly OperationState[] = [
  'running',
  'held',
  'halted',
  'rolling_back',
  'rollback_failed',
];

export class Operations {
  list = $state.raw<OperationRow[] | null>(null);
  problem = $state<Problem | null>(null);
  readonly open: number = $derived(
    (this.list ?? []).filter(({ state }) => OPEN_STATES.includes(state)).length,
  );
  readonly halted: number = $derived(
    (this.list ?? []).filter(({ state }) => state === 'halted' || state === 'rollback_failed')
      .length,
  );
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  async load(): Promise<void> {
    try {
      this.list = await this.#backend.call('operations');
      this.problem = null;
    } catch (thrown) {
      this.problem = asProblem(thrown);
    }
  }

  forget(): void {
    this.list = null;
    this.problem = null;
  }
}

export class Operation {
  readonly id: string;
  view = $state.raw<OperationView | null>(null);
  problem = $state<Problem | null>(null);
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
        this.view = await this.#backend.call('operation', { id: this.id });
        this.problem = null;
      } while (this.#again);
    } catch (thrown) {
      this.problem = asProblem(thrown);
    } finally {
      this.#fetching = false;
    }
  }
}
