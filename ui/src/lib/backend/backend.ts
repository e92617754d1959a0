// What the window may ask of the shell and what the shell tells it. The shell computes and checks
// everything; the window shows it and holds no authority.

import type { BriefingView } from '$lib/bindings/BriefingView';
import type { Changed } from '$lib/bindings/Changed';
import type { ConnectionView } from '$lib/bindings/ConnectionView';
import type { DecideOutcome } from '$lib/bindings/DecideOutcome';
import type { DecideRequest } from '$lib/bindings/DecideRequest';
import type { DecisionPreview } from '$lib/bindings/DecisionPreview';
import type { FrameView } from '$lib/bindings/FrameView';
import type { KeyStage } from '$lib/bindings/KeyStage';
import type { KeyView } from '$lib/bindings/KeyView';
import type { OperationRow } from '$lib/bindings/OperationRow';
import type { OperationView } from '$lib/bindings/OperationView';
import type { QueueView } from '$lib/bindings/QueueView';
import type { WitnessView } from '$lib/bindings/WitnessView';

/** Every command of the shell: its arguments and its answer. Each rejects with a `Problem`. */
export interface Commands {
  frame: { args: undefined; answer: FrameView };
  connect: { args: { url: string; genesis?: string }; answer: FrameView };
  keys: { args: undefined; answer: KeyView[] };
  sign_in: { args: { approver: string; key: string }; answer: FrameView };
  sign_out: { args: undefined; answer: FrameView };
  queue: { args: undefined; answer: QueueView };
  briefing: { args: { id: string }; answer: BriefingView };
  preview_decision: { args: { request: DecideRequest }; answer: DecisionPreview };
  decide: { args: { request: DecideRequest }; answer: DecideOutcome };
  give_pin: { args: { pin: string }; answer: null };
  cancel_key: { args: undefined; answer: null };
  touch_demonstration_key: { args: undefined; answer: null };
  operations: { args: undefined; answer: OperationRow[] };
  operation: { args: { id: string }; answer: OperationView };
}

/** Every event of the shell and what it carries. */
export interface Events {
  changed: Changed;
  connection: ConnectionView;
  witness: WitnessView;
  key: KeyStage;
}

export type Command = keyof Commands;
export type EventName = keyof Events;

/** Takes a listener away again. */
export type Unsubscribe = () => void;

/** Arguments as a call takes them: nothing where a command wants nothing. */
export type Args<C extends Command> = Commands[C]['args'] extends undefined
  ? []
  : [Commands[C]['args']];

export interface Backend {
  call<C extends Command>(command: C, ...args: Args<C>): Promise<Commands[C]['answer']>;
  on<E extends EventName>(event: E, listener: (payload: Events[E]) => void): Unsubscribe;
}
