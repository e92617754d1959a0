// @tanstack/virtual-core as runes: which rows of a long list are worth having.

import {
  Virtualizer,
  elementScroll,
  observeElementOffset,
  observeElementRect,
  type VirtualItem,
} from '@tanstack/virtual-core';

export interface VirtualOptions {
  count: () => number;
  /** Height of a row, px. */
  row_px: number;
  key: (index: number) => string | number;
}

export class VirtualRows {
  items = $state.raw<VirtualItem[]>([]);
  total_px = $state(0);
  readonly #options: VirtualOptions;
  #virtualizer: Virtualizer<HTMLElement, HTMLElement> | null = null;

  constructor(options: VirtualOptions) {
    this.#options = options;
  }

  /** An attachment for the scrolling element. */
  readonly attach = (element: HTMLElement): (() => void) => {
    const virtualizer = new Virtualizer<HTMLElement, HTMLElement>(this.#settings(element));
    this.#virtualizer = virtualizer;
    const unmount = virtualizer._didMount();
    $effect(() => {
      this.#options.count();
      virtualizer.setOptions(this.#settings(element));
      virtualizer._willUpdate();
      this.#read();
    });
    return () => {
      unmount();
      this.#virtualizer = null;
    };
  };

  /** Brings a row into view. */
  reveal(index: number): void {
    this.#virtualizer?.scrollToIndex(index, { align: 'auto' });
  }

  #settings(element: HTMLElement) {
    return {
      count: this.#options.count(),
      getScrollElement: () => element,
      estimateSize: () => this.#options.row_px,
      getItemKey: this.#options.key,
      overscan: 12,
      scrollToFn: elementScroll,
      observeElementRect,
      observeElementOffset,
      onChange: () => {
        this.#read();
      },
    };
  }

  #read(): void {
    if (!this.#virtualizer) return;
    this.items = this.#virtualizer.getVirtualItems();
    this.total_px = this.#virtualizer.getTotalSize();
  }
}
