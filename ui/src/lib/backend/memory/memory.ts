// The sample organisation behind the shell's contract, for browsers. Query parameters set the scene:
// `items=10000`, `signedin`, `lost`, `alarm`, `disagree`, `memory`, `nobackend`, `live`, `slow`, `empty`,
// `suspended`.

import type { BriefingView } from '$lib/bindings/BriefingView';
import type { DecideOutcome } from '$lib/bindings/DecideOutcome';
import type { DecideRequest } from '$lib/bindings/DecideRequest';
import type { DecisionPreview } from '$lib/bindings/DecisionPreview';
import type { FrameView } from '$lib/bindings/FrameView';
import type { OperationView } from '$lib/bindings/OperationView';
import type { Problem } from '$lib/bindings/Problem';
import type { QueueRow } from '$lib/bindings/QueueRow';
import type { Args, Backend, Command, Commands, EventName, Events, Unsubscribe } from '../backend';
import { problem } from '../problem';
import {
  closedRows,
  fillerBriefings,
  minutes,
  openBriefings,
  pseudoDigest,
  rolloutOperation,
  trippedOperation,
} from './sample';

const PIN = '123456';
const PIN_TRIES = 8;

const people = [
  { id: 'mara', name: 'Mara Lindqvist', roles: ['on-call-engineer'] },
  { id: 'henrik', name: 'Henrik Dahl', roles: ['ot-safety-officer'] },
  { id: 'ines', name: 'Inês Carvalho', roles: ['soc-lead'] },
];

const keys = people.map(({ id }) => ({
  id: `demo-${id}`,
  label: `Demonstration key of ${id}`,
  demonstration: true,
}));

type Handlers = { [C in Command]: (...args: Args<C>) => Promise<Commands[C]['answer']> };

function thrown(code: string, title: string, detail: string): Error & Problem {
  return Object.assign(new Error(detail), problem(code, title, detail));
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export class MemoryBackend implements Backend {
  readonly #scene: URLSearchParams;
  readonly #listeners = new Map<EventName, Set<(payload: never) => void>>();
  readonly #briefings = new Map<string, BriefingView>();
  readonly #operations = new Map<string, OperationView>();
  #closed: QueueRow[] = closedRows();
  #frame: FrameView;
  #index = 4_211;
  #tries = PIN_TRIES;
  #answerPin: ((pin: string) => void) | null = null;
  #answerTouch: (() => void) | null = null;
  #cancel: (() => void) | null = null;

  constructor(scene: URLSearchParams) {
    this.#scene = scene;
    const filler = fillerBriefings(Math.max(0, Number(scene.get('items') ?? 0) - 5));
    const open = scene.has('empty') ? [] : [...openBriefings(), ...filler];
    for (const view of open) this.#briefings.set(view.row.id, view);
    if (scene.has('empty')) this.#closed = [];
    for (const view of [
      trippedOperation('op-7f', 'p-7e00', [
        'pay-0001',
        'pay-0002',
        'pay-0003',
        'pay-0004',
        'pay-0005',
      ]),
      rolloutOperation(),
    ]) {
      this.#operations.set(view.row.id, view);
    }
    this.#frame = {
      backend: scene.has('nobackend')
        ? null
        : {
            name: 'Northwind production',
            url: 'http://127.0.0.1:7706',
            deployment: 'northwind-production',
            demonstration: !scene.has('production'),
            connection: scene.has('lost')
              ? { state: 'lost', since: minutes(-3), reason: 'connection refused' }
              : { state: 'live' },
            witness: scene.has('alarm')
              ? {
                  state: 'alarm',
                  reason:
                    'the log of 4,120 entries shown now is not the one verified at 02:10:44 UTC',
                }
              : { state: 'consistent', size: 4_211, at: minutes(-0.2) },
          },
      session: scene.has('signedin')
        ? this.#session(people.find(({ id }) => id === scene.get('signedin'))?.id ?? 'mara')
        : null,
      keeping: scene.has('memory')
        ? {
            place: 'memory',
            reason:
              'no keyring answers on this machine; sign in again after a restart, or start a Secret Service',
          }
        : { place: 'keyring' },
      demonstration_build: true,
      approvers: people.map(({ id, roles }) => ({ id, roles })),
    };
    if (scene.has('live')) this.#liven();
  }

  call<C extends Command>(command: C, ...args: Args<C>): Promise<Commands[C]['answer']> {
    const handler = this.#handlers[command] as (...args: Args<C>) => Promise<Commands[C]['answer']>;
    return handler(...args);
  }

  on<E extends EventName>(event: E, listener: (payload: Events[E]) => void): Unsubscribe {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    listeners.add(listener as (payload: never) => void);
    return () => listeners.delete(listener as (payload: never) => void);
  }

  readonly #handlers: Handlers = {
    frame: async () => this.#answer(this.#frame),
    connect: async ({ url }) => {
      this.#frame = { ...new MemoryBackend(new URLSearchParams()).#frame };
      if (this.#frame.backend) this.#frame.backend.url = url;
      return this.#answer(this.#frame);
    },
    keys: async () => this.#answer(keys),
    sign_in: async ({ approver, key }) => {
      if (!key.endsWith(approver)) {
        await this.#useKey();
        throw thrown(
          'key_not_enrolled',
          'This key is not enrolled',
          `The key is not enrolled for ${approver}; take another or ask an administrator.`,
        );
      }
      await this.#useKey();
      this.#frame = { ...this.#frame, session: this.#session(approver) };
      return this.#answer(this.#frame);
    },
    sign_out: async () => {
      this.#frame = { ...this.#frame, session: null };
      return this.#answer(this.#frame);
    },
    queue: async () => {
      await this.#needLink();
      if (this.#scene.has('slow')) await wait(60_000);
      return this.#answer({
        open: [...this.#briefings.values()]
          .map(({ row }) => row)
          .filter(({ state }) => state === 'waiting')
          .sort((one, other) => one.expires_at.localeCompare(other.expires_at)),
        closed: this.#closed,
        suspended: this.#scene.has('suspended')
          ? [
              'mara suspended everything that runs alone at 2026-11-24T02:09:31Z',
              'ines suspended the agent “<b>soc</b> agent” at 2026-11-24T02:11:02Z',
            ]
          : [],
        clock_offset_ms: 0,
        as_of: this.#scene.has('lost') ? minutes(-3) : new Date().toISOString(),
        notices: this.#scene.has('drill-failed')
          ? [
              {
                text: 'The rollback drill of patch on linux-server failed. Nothing of it runs alone until one passes.',
                operation: null,
                since: minutes(-40),
              },
            ]
          : [],
      });
    },
    briefing: async ({ id }) => {
      const view = this.#briefings.get(id);
      if (!view)
        throw thrown(
          'unknown_item',
          'No such item',
          `There is no item ${id}; it may have been removed. Go back to the queue.`,
        );
      if (!this.#scene.has('disagree')) return this.#answer(view);
      return this.#answer({
        ...view,
        agreement: {
          agrees: false,
          differences: [
            'finding 4.3: the backend says `pass`, this console computes `fail` (14 hard dependents disrupted)',
            'scope: the backend counts 1 system, this console 15',
          ],
          logged: { state: 'unproved', reason: 'entry 128 of the log says otherwise' },
        },
      });
    },
    preview_decision: async ({ request }) => this.#answer(this.#preview(request)),
    decide: async ({ request }) => {
      await this.#useKey();
      this.#emit('key', { stage: 'sending' });
      await wait(400);
      return this.#answer(this.#decide(request));
    },
    give_pin: async ({ pin }) => {
      this.#answerPin?.(pin);
      return null;
    },
    cancel_key: async () => {
      this.#cancel?.();
      return null;
    },
    touch_demonstration_key: async () => {
      this.#answerTouch?.();
      return null;
    },
    operations: async () => {
      await this.#needLink();
      return this.#answer(
        this.#scene.has('empty') ? [] : [...this.#operations.values()].map(({ row }) => row),
      );
    },
    operation: async ({ id }) => {
      const view = this.#operations.get(id);
      if (!view)
        throw thrown('unknown_operation', 'No such operation', `There is no operation ${id}.`);
      return this.#answer(view);
    },
  };

  #answer<T>(value: T): Promise<T> {
    return Promise.resolve(structuredClone(value));
  }

  #emit<E extends EventName>(event: E, payload: Events[E]): void {
    for (const listener of this.#listeners.get(event) ?? []) {
      (listener as (payload: Events[E]) => void)(payload);
    }
  }

  #changed(kind: string, item: string | null, operation: string | null): void {
    this.#index += 1;
    this.#emit('changed', { index: this.#index, kind, item, operation });
    this.#emit('witness', { state: 'consistent', size: this.#index, at: new Date().toISOString() });
  }

  #needLink(): Promise<void> {
    return Promise.resolve();
  }

  #session(id: string): FrameView['session'] {
    const person = people.find((candidate) => candidate.id === id);
    if (!person) return null;
    return { approver: id, name: person.name, roles: person.roles, expires_at: minutes(8 * 60) };
  }

  async #useKey(): Promise<void> {
    const cancelled = new Promise<never>((_, reject) => {
      this.#cancel = () => {
        reject(thrown('cancelled', 'Cancelled', 'Nothing was signed.'));
      };
    });
    cancelled.catch(() => undefined);
    const step = <T>(promise: Promise<T>): Promise<T> => Promise.race([promise, cancelled]);
    this.#emit('key', { stage: 'working' });
    await step(wait(150));
    let message: string | null = null;
    for (;;) {
      const given = new Promise<string>((resolve) => (this.#answerPin = resolve));
      this.#emit('key', { stage: 'pin', retries: this.#tries, message });
      if ((await step(given)) === PIN) break;
      this.#tries -= 1;
      message = 'That was not the PIN of this key.';
    }
    this.#tries = PIN_TRIES;
    const touched = new Promise<void>((resolve) => (this.#answerTouch = resolve));
    this.#emit('key', { stage: 'touch', demonstration: true });
    await step(touched);
    this.#emit('key', { stage: 'working' });
    await step(wait(200));
  }

  #preview(request: DecideRequest): DecisionPreview {
    const view = this.#briefings.get(request.id);
    const operation = this.#operations.get(request.id);
    const verbs: Record<string, string> = {
      approve: 'approve',
      reject: 'reject',
      continue: 'continue',
      roll_back: 'roll back',
      abort: 'abort',
    };
    const title = view?.row.title ?? operation?.row.title ?? request.id;
    const part = request.narrowed_to
      ? `, narrowed to ${request.narrowed_to.length} of ${view?.targets.length ?? 0} systems`
      : '';
    const effects: Record<string, string[]> = {
      approve: view
        ? [
            request.narrowed_to
              ? `${request.narrowed_to.length} systems are touched: ${request.narrowed_to.slice(0, 5).join(', ')}${request.narrowed_to.length > 5 ? ' …' : ''}`
              : view.row.consequence,
            `quorum ${view.quorum.signed.length + 1} of ${view.quorum.needed} with your signature`,
            'the first failed health check stops it',
          ]
        : [],
      reject: ['nothing runs', 'the agent is told to stop'],
      continue: ['what was touched stays as it is', 'the breaker counts anew'],
      roll_back: [
        `${operation?.row.touched ?? 0} systems are put back as they were`,
        'the others are not touched',
      ],
      abort: [
        'nothing more is dispatched',
        `${operation?.row.touched ?? 0} systems are left as they are now`,
      ],
    };
    return {
      sentence: `You ${verbs[request.kind] ?? request.kind} “${title}”${part}, at risk level ${request.risk_level}.`,
      effects: effects[request.kind] ?? [],
    };
  }

  #decide(request: DecideRequest): DecideOutcome {
    const who = this.#frame.session;
    const signature = {
      approver: who?.approver ?? '',
      name: who?.name ?? '',
      kind: request.kind,
      at: new Date().toISOString(),
    };
    const outcome: DecideOutcome = {
      decision: pseudoDigest(JSON.stringify(request)),
      index: this.#index + 1,
      complete: true,
      missing: null,
      operation: null,
    };
    const operation = this.#operations.get(request.id);
    if (operation) {
      operation.decisions.push(signature);
      if (request.kind === 'continue') {
        const kept = request.narrowed_to ?? operation.cells.map(({ id }) => id);
        for (const cell of operation.cells) {
          if (cell.phase === 'pending')
            cell.phase = kept.includes(cell.id) ? 'healthy' : 'left_out';
        }
        operation.row.state = 'completed';
        operation.row.finished_at = signature.at;
        operation.continue_missing = null;
        const done = { may: false, why_not: 'It has ended, every system healthy.' };
        operation.may_continue = done;
        operation.may_abort = done;
        operation.may_roll_back = done;
        this.#changed('decision', operation.row.item, operation.row.id);
        return { ...outcome, operation: operation.row.id };
      }
      operation.row.state = request.kind === 'abort' ? 'aborted' : 'rolled_back';
      operation.row.finished_at = signature.at;
      for (const cell of operation.cells) {
        if (cell.phase !== 'pending' && request.kind === 'roll_back') {
          cell.phase = 'reverted';
          cell.message = 'as it was: version 3.0.14-1, http check 3 of 3';
        }
      }
      const done = {
        may: false,
        why_not: `It is ${request.kind === 'abort' ? 'aborted' : 'rolled back'}.`,
      };
      operation.may_continue = done;
      operation.continue_missing = null;
      operation.may_abort = done;
      operation.may_roll_back = done;
      this.#changed('decision', operation.row.item, operation.row.id);
      return { ...outcome, operation: operation.row.id };
    }
    const view = this.#briefings.get(request.id);
    if (!view) throw thrown('unknown_item', 'No such item', `There is no item ${request.id}.`);
    view.quorum.signed.push(signature);
    if (request.kind === 'reject') {
      this.#close(view, 'rejected');
      return outcome;
    }
    view.row.approvals += 1;
    if (view.quorum.signed.length < view.quorum.needed) {
      view.quorum.missing = 'one more approver';
      view.may_approve = { may: false, why_not: 'You have signed; another person must.' };
      this.#changed('decision', view.row.id, null);
      return { ...outcome, complete: false, missing: view.quorum.missing };
    }
    const started = `op-${pseudoDigest(view.row.id).slice(0, 2)}`;
    const systems = request.narrowed_to ?? view.targets.map(({ id }) => id);
    this.#operations.set(started, trippedOperation(started, view.row.id, systems));
    view.row.operation = started;
    this.#close(view, 'running');
    return { ...outcome, operation: started };
  }

  #close(view: BriefingView, state: QueueRow['state']): void {
    view.row.state = state;
    view.may_approve = { may: false, why_not: `It is ${state}.` };
    view.may_reject = view.may_approve;
    this.#closed = [view.row, ...this.#closed];
    this.#changed('decision', view.row.id, view.row.operation);
  }

  // Something new every few seconds, and the rollout goes on.
  #liven(): void {
    let n = 0;
    setInterval(() => {
      n += 1;
      const [fresh] = fillerBriefings(n).slice(-1);
      if (fresh && n % 10 === 0) {
        fresh.row.received_at = new Date().toISOString();
        this.#briefings.set(fresh.row.id, fresh);
        this.#changed('proposal', fresh.row.id, null);
      }
      const rollout = this.#operations.get('op-70');
      const working = rollout?.cells.find(({ phase }) => phase === 'in_flight');
      const next = rollout?.cells.find(({ phase }) => phase === 'pending');
      if (rollout && working && next) {
        Object.assign(working, { phase: 'healthy', at: new Date().toISOString() });
        Object.assign(next, { phase: 'in_flight', at: new Date().toISOString() });
        rollout.row.healthy += 1;
        rollout.row.touched += 1;
        this.#changed('health', null, 'op-70');
      }
    }, 300);
  }
}
