// Says what changed to those who do not see it change.

export class Announcer {
  text = $state('');

  /** Said politely by a screen reader. */
  say(text: string): void {
    // The same words twice are read once: a trailing space makes them differ.
    this.text = text === this.text ? `${text} ` : text;
  }
}
