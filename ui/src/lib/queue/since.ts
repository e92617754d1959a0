// What happened to the queue since a person looked.

import type { ItemState } from '$lib/bindings/ItemState';
import type { QueueView } from '$lib/bindings/QueueView';

/** What was there when a person looked. */
export interface Look {
  open: ReadonlySet<string>;
  closed: ReadonlySet<string>;
}

export interface Since {
  fresh: string[];
  ended: Partial<Record<ItemState, number>>;
}

export function look(view: QueueView): Look {
  return {
    open: new Set(view.open.map(({ id }) => id)),
    closed: new Set(view.closed.map(({ id }) => id)),
  };
}

/** New items that are still open, and how many ended how. */
export function since(then: Look, now: QueueView): Since {
  const ended: Since['ended'] = {};
  for (const { id, state } of now.closed) {
    if (!then.closed.has(id)) ended[state] = (ended[state] ?? 0) + 1;
  }
  return { fresh: now.open.map(({ id }) => id).filter((id) => !then.open.has(id)), ended };
}

// Ends that a person may have missed, and of which the agent was told.
const STOPPED: ReadonlySet<ItemState> = new Set(['expired', 'rejected', 'refused', 'superseded']);

/** `2 new, 1 expired (the agent was told to stop)`; empty where nothing happened. */
export function sinceWords({ fresh, ended }: Since): string {
  const parts = fresh.length > 0 ? [`${fresh.length} new`] : [];
  let stopped = false;
  for (const [state, n] of Object.entries(ended)) {
    parts.push(`${n} ${state.replace('_', ' ')}`);
    stopped ||= STOPPED.has(state as ItemState);
  }
  return parts.join(', ') + (stopped ? ' (the agent was told to stop)' : '');
}
