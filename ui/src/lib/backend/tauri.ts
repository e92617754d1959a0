// The shell, through Tauri's commands and events.

import { invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import type { Args, Backend, Command, Commands, EventName, Events, Unsubscribe } from './backend';

export class TauriBackend implements Backend {
  call<C extends Command>(command: C, ...args: Args<C>): Promise<Commands[C]['answer']> {
    return invoke<Commands[C]['answer']>(command, args[0]);
  }

  on<E extends EventName>(event: E, listener: (payload: Events[E]) => void): Unsubscribe {
    const listening = listen<Events[E]>(event, (message) => {
      listener(message.payload);
    });
    return () => {
      void listening.then((unlisten) => {
        unlisten();
      });
    };
  }
}
