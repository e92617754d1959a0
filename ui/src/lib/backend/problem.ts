// Failures as the window shows them: a wire Problem, whatever was thrown.

import type { Problem } from '$lib/bindings/Problem';

function isProblem(thrown: unknown): thrown is Problem {
  return (
    typeof thrown === 'object' &&
    thrown !== null &&
    typeof (thrown as Problem).code === 'string' &&
    typeof (thrown as Problem).title === 'string' &&
    typeof (thrown as Problem).detail === 'string'
  );
}

/** A Problem of this side of the network. */
export function problem(code: string, title: string, detail: string): Problem {
  return { type: `urn:countersign:problem:${code}`, code, status: 0, title, detail };
}

/** What was thrown, as a Problem. */
export function asProblem(thrown: unknown): Problem {
  if (isProblem(thrown)) return thrown;
  const detail =
    thrown instanceof Error
      ? thrown.message
      : typeof thrown === 'string'
        ? thrown
        : 'no reason given';
  return problem('unexpected', 'Something unexpected happened', detail);
}
