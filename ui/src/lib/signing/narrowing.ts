// Narrowing: approve less than was asked, never more or else. It only takes targets away.

import type { WaveView } from '$lib/bindings/WaveView';

/** The targets that remain, in their order; null where all do, and so nothing is narrowed. */
export function narrowed(targets: readonly string[], keep: ReadonlySet<string>): string[] | null {
  const remaining = targets.filter((id) => keep.has(id));
  return remaining.length === targets.length ? null : remaining;
}

/** The systems of the chosen waves, by index. */
export function ofWaves(waves: readonly WaveView[], chosen: ReadonlySet<number>): Set<string> {
  return new Set(waves.flatMap(({ systems }, index) => (chosen.has(index) ? systems : [])));
}

/** The canary, where there is one and something would be left out. */
export function canary(waves: readonly WaveView[]): WaveView | null {
  const [first] = waves;
  return first !== undefined && waves.length > 1 ? first : null;
}
