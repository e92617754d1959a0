// The queue's filter: `tier:safety agent:soc openssl`. Every part must match.

import type { QueueRow } from '$lib/bindings/QueueRow';

const FIELDS: Record<string, (row: QueueRow) => string> = {
  tier: (row) => row.tier,
  agent: (row) => row.agent,
  state: (row) => row.state.replace('_', '-'),
  id: (row) => row.id,
};

/** What a row must satisfy. `tier:` and its like match from the beginning; words match anywhere. */
export function matcher(filter: string): (row: QueueRow) => boolean {
  const tests = filter
    .toLowerCase()
    .split(/\s+/u)
    .filter((part) => part !== '')
    .map((part) => {
      const colon = part.indexOf(':');
      const field = colon > 0 ? FIELDS[part.slice(0, colon)] : undefined;
      const wanted = part.slice(colon + 1);
      if (field) return (row: QueueRow) => field(row).toLowerCase().startsWith(wanted);
      return (row: QueueRow) =>
        [row.title, row.consequence, row.id, row.agent, ...row.why].some((text) =>
          text.toLowerCase().includes(part),
        );
    });
  return (row) => tests.every((test) => test(row));
}
