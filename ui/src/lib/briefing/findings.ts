// Blocking findings by clause: one tick a clause, because clauses are what is acknowledged.

import type { FindingView } from '$lib/bindings/FindingView';

export interface Clause {
  clause: string;
  messages: string[];
}

export function byClause(findings: readonly FindingView[]): Clause[] {
  const clauses = new Map<string, string[]>();
  for (const { clause, message } of findings) {
    clauses.set(clause, [...(clauses.get(clause) ?? []), message]);
  }
  return [...clauses].map(([clause, messages]) => ({ clause, messages }));
}
