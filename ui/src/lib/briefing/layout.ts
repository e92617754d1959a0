// A layered layout for the graph: what is acted on at the left, what suffers to the right.

import { Graph, layout } from '@dagrejs/dagre';
import type { GraphView } from '$lib/bindings/GraphView';

export const NODE_WIDTH_PX = 216;
export const NODE_HEIGHT_PX = 60;

export interface Placed {
  x: number;
  y: number;
}

/** Where each node goes (its top left corner), by id. Edges to unknown nodes are left out. */
export function placed(graph: GraphView): Map<string, Placed> {
  const layered = new Graph({ multigraph: true });
  layered.setGraph({
    rankdir: 'LR',
    ranker: 'tight-tree',
    nodesep: 16,
    ranksep: 132,
    marginx: 8,
    marginy: 8,
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
  return new Map(
    graph.nodes.map(({ id }) => {
      const { x = 0, y = 0 } = layered.node(id) as Partial<Placed>;
      return [id, { x: x - NODE_WIDTH_PX / 2, y: y - NODE_HEIGHT_PX / 2 }];
    }),
  );
}
