/** The demo's voice: chapters, lines with elapsed time, and commands as the reader would type them. */

export type Story = {
  chapter(number: number, title: string): void;
  line(text: string): void;
  /** Something a program printed, set off from the story. */
  output(text: string): void;
  command(text: string): void;
};

/** `now` in milliseconds, from any start; `print` takes one line or several. */
export const tellStory = (now: () => number, print: (text: string) => void): Story => {
  const started = now();
  const stamp = () => `${((now() - started) / 1000).toFixed(1).padStart(6)} s`;
  return {
    chapter: (number, title) => print(`\n${stamp()}  (${number}) ${title}`),
    line: (text) => print(`${stamp()}  ${text}`),
    output: (text) => print(text.trimEnd().replace(/^/gm, "            ")),
    command: (text) => print(`          $ ${text}`),
  };
};
