import { expect, test } from 'vitest';
import type { GraphView } from '$lib/bindings/GraphView';
import { height, layoutOf } from './layout';

function graph(nodes: number, edges: [number, number][]): GraphView {
  return {
    nodes: Array.from({ length: nodes }, (_, n) => ({
      id: String(n),
      label: `system ${n}`,
      members: [`system-${n}`],
      class: 'linux-server',
      tier: 'non-critical',
      role: 'target',
    })),
    edges: edges.map(([from, to]) => ({
      from: String(from),
      to: String(to),
      label: 'runtime',
      hard: true,
      broken: false,
      count: 1,
    })),
  };
}

test('harm travels to the right: dependents stand after what they depend on', () => {
  const { places, direction } = layoutOf(graph(2, [[1, 0]]));
  expect(direction).toBe('across');
  expect(places.get('1')?.x).toBeGreaterThan(places.get('0')?.x ?? NaN);
});

test('a long chain goes down, where its words stay large', () => {
  expect(layoutOf(graph(4, [[1, 0], [2, 1], [3, 2]])).direction).toBe('down'); // prettier-ignore
});

test('cycles, edges to nobody and an empty graph are laid out too', () => {
  expect(layoutOf(graph(2, [[0, 1], [1, 0], [0, 9]])).places.size).toBe(2); // prettier-ignore
  expect(height(layoutOf(graph(0, [])))).toBeGreaterThan(0);
});

test('300 nodes', () => {
  const edges = Array.from({ length: 299 }, (_, n): [number, number] => [n + 1, n % 17]);
  expect(layoutOf(graph(300, edges)).places.size).toBe(300);
});
