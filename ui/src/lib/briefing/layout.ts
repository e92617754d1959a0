// A layered layout for the graph: from what is acted on to what suffers, in whichever direction
// leaves the words largest.

import { Graph, layout } from '@dagrejs/dagre';
import type { GraphView } from '$lib/bindings/GraphView';

export const NODE_WIDTH_PX = 216;
export const NODE_HEIGHT_PX = 60;
/** What the picture may take of the screen. */
const ROOM_PX = { width: 700, height: 420 };

export type Direction = 'across' | 'down';

export interface Layout {
  direction: Direction;
  width_px: number;
  height_px: number;
  /** Top left corner of each node, by id. */
  places: ReadonlyMap<string, { x: number; y: number }>;
}

/** Lays the graph out one way. Edges to unknown nodes are left out. */
function laidOut(graph: GraphView, direction: Direction): Layout {
  const layered = new Graph({ multigraph: true });
  layered.setGraph({
    rankdir: direction === 'across' ? 'LR' : 'TB',
    ranker: 'tight-tree',
    nodesep: direction === 'across' ? 16 : 32,
    ranksep: direction === 'across' ? 132 : 48,
  });
  layered.setDefaultEdgeLabel(() => ({}));
  for (const { id } of graph.nodes) {
    layered.setNode(id, { width: NODE_WIDTH_PX, height: NODE_HEIGHT_PX });
  }
  graph.edges.forEach(({ from, to }, index) => {
    if (layered.hasNode(from) && layered.hasNode(to)) {
      // `from` depends on `to`: harm travels the other way.
      layered.setEdge(to, from, {}, String(index));
    }
  });
  layout(layered);
  const places = new Map(
    graph.nodes.map(({ id }) => {
      const { x = 0, y = 0 } = layered.node(id) as { x?: number; y?: number };
      return [id, { x: x - NODE_WIDTH_PX / 2, y: y - NODE_HEIGHT_PX / 2 }];
    }),
  );
  let width_px = NODE_WIDTH_PX;
  let height_px = NODE_HEIGHT_PX;
  for (const { x, y } of places.values()) {
    width_px = Math.max(width_px, x + NODE_WIDTH_PX);
    height_px = Math.max(height_px, y + NODE_HEIGHT_PX);
  }
  return { direction, width_px, height_px, places };
}

/** How large it may be drawn, at most 1. */
function scale({ width_px, height_px }: Layout): number {
  return Math.min(1, ROOM_PX.width / width_px, ROOM_PX.height / height_px);
}

/** Across where that is as large as down; big graphs are not laid out twice. */
export function layoutOf(graph: GraphView): Layout {
  const across = laidOut(graph, 'across');
  if (scale(across) >= 0.9 || graph.nodes.length > 60) return across;
  const down = laidOut(graph, 'down');
  return scale(down) > scale(across) ? down : across;
}

/** Height of the picture on the screen. */
export function height(laid: Layout): number {
  return Math.max(180, Math.min(ROOM_PX.height, laid.height_px * scale(laid)) + 72);
}
