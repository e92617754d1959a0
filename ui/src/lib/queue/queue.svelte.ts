// The queue as last fetched, what a person typed to narrow it, and what they have not seen yet.

import type { Backend } from '$lib/backend/backend';
import { asProblem } from '$lib/backend/problem';
import type { Problem } from '$lib/bindings/Problem';
import type { QueueRow } from '$lib/bindings/QueueRow';
import type { QueueView } from '$lib/bindings/QueueView';
import { matcher } from './filter';
import { look, since, sinceWords, type Look } from './since';

export class Queue {
  view = $state.raw<QueueView | null>(null);
  problem = $state<Problem | null>(null);
  filter = $state('');
  /** The row that j, k and Enter mean. */
  cursor = $state<string | null>(null);
  #look = $state.raw<Look | null>(null);
  readonly #backend: Backend;
  #fetching = false;
  #again = false;

  readonly open: QueueRow[] = $derived.by(() =>
    (this.view?.open ?? []).filter(matcher(this.filter)),
  );
  readonly closed: QueueRow[] = $derived.by(() =>
    (this.view?.closed ?? []).filter(matcher(this.filter)),
  );
  readonly #since = $derived(
    this.view && this.#look ? since(this.#look, this.view) : { fresh: [], ended: {} },
  );
  // eslint-disable-next-line svelte/prefer-svelte-reactivity -- made anew, never changed
  readonly fresh: ReadonlySet<string> = $derived(new Set(this.#since.fresh));
  readonly since: string = $derived(sinceWords(this.#since));

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** Fetches; while one fetch is under way, asks for only one more. */
  async load(): Promise<void> {
    if (this.#fetching) {
      this.#again = true;
      return;
    }
    this.#fetching = true;
    try {
      do {
        this.#again = false;
        this.view = await this.#backend.call('queue');
        this.problem = null;
        this.#look ??= look(this.view);
      } while (this.#again);
    } catch (thrown) {
      this.problem = asProblem(thrown);
    } finally {
      this.#fetching = false;
    }
  }

  /** A person has seen the queue as it is. */
  seen(): void {
    if (this.view) this.#look = look(this.view);
  }

  /** Where the cursor is in the filtered list; the first row where it is nowhere. */
  get index(): number {
    return Math.max(
      0,
      this.open.findIndex(({ id }) => id === this.cursor),
    );
  }

  /** Moves the cursor and says where it is now. */
  move(by: number): number {
    const at = this.cursor === null && Math.abs(by) === 1 ? 0 : this.index + by;
    const index = Math.min(Math.max(at, 0), Math.max(this.open.length - 1, 0));
    this.cursor = this.open[index]?.id ?? null;
    return index;
  }

  forget(): void {
    this.view = null;
    this.problem = null;
    this.#look = null;
    this.cursor = null;
  }
}
