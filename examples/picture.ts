/**
 * What a client of the example models does before and after an inference: a picture becomes a tensor,
 * a tensor becomes words. Both models read one line of text, 48 pixels high.
 */
import { readFile } from "node:fs/promises";
import { PNG } from "pngjs";

/** A float32 tensor of shape [1, 3, height, width], values in -1..1, colour planes one after the other. */
export type PictureTensor = { shape: [number, number, number, number]; data: Float32Array };

/** Rows and columns of red, green, blue and alpha bytes. */
export type Picture = { width: number; height: number; data: Uint8Array };

const HEIGHT = 48;

export const readPicture = async (file: string | URL): Promise<Picture> => PNG.sync.read(await readFile(file));

/** The picture upside down: turned by half a circle, its pixels come in the opposite order. */
export const turned = (picture: Picture): Picture => {
  const data = new Uint8Array(picture.data.length);
  const pixels = picture.width * picture.height;
  for (let pixel = 0; pixel < pixels; pixel++) {
    data.set(picture.data.subarray(pixel * 4, pixel * 4 + 4), (pixels - 1 - pixel) * 4);
  }
  return { ...picture, data };
};

/**
 * Scales a picture to 48 rows and at most `maxWidth` columns (a longer line is squeezed), bilinearly, and maps
 * bytes 0..255 to -1..1. Both models were trained on such input.
 */
export const toTensor = (picture: Picture, maxWidth: number): PictureTensor => {
  const width = Math.min(maxWidth, Math.ceil((HEIGHT * picture.width) / picture.height));
  const data = new Float32Array(3 * HEIGHT * width);
  for (let channel = 0; channel < 3; channel++) {
    for (let row = 0; row < HEIGHT; row++) {
      for (let column = 0; column < width; column++) {
        // Centres of pixels, not corners: half a pixel matters at 27 rows.
        const y = ((row + 0.5) * picture.height) / HEIGHT - 0.5;
        const x = ((column + 0.5) * picture.width) / width - 0.5;
        data[(channel * HEIGHT + row) * width + column] = (sample(picture, x, y, channel) / 255 - 0.5) / 0.5;
      }
    }
  }
  return { shape: [1, 3, HEIGHT, width], data };
};

const sample = (picture: Picture, x: number, y: number, channel: number): number => {
  const left = clamp(Math.floor(x), picture.width);
  const top = clamp(Math.floor(y), picture.height);
  const right = clamp(left + 1, picture.width);
  const bottom = clamp(top + 1, picture.height);
  const across = Math.min(Math.max(x - left, 0), 1);
  const down = Math.min(Math.max(y - top, 0), 1);
  const at = (column: number, row: number) => picture.data[(row * picture.width + column) * 4 + channel] ?? 0;
  const upper = at(left, top) * (1 - across) + at(right, top) * across;
  const lower = at(left, bottom) * (1 - across) + at(right, bottom) * across;
  return upper * (1 - down) + lower * down;
};

const clamp = (value: number, size: number): number => Math.min(Math.max(value, 0), size - 1);

/** The angle classifier's answer, two probabilities, in words: `upright (99.9 %)`. */
export const angleInWords = (probabilities: ArrayLike<number>): string => {
  const [upright = 0, upsideDown = 0] = Array.from(probabilities);
  const percent = (100 * Math.max(upright, upsideDown)).toFixed(1);
  return `${upright > upsideDown ? "upright" : "upside down"} (${percent} %)`;
};

/**
 * The recogniser's answer in words. `scores` is [columns, alphabet.length + 2]: for each column of the line, a score for
 * "nothing here" (0), for each character of the alphabet, and for a space. A run of one character is one letter
 * (connectionist temporal classification, greedy).
 */
export const textInWords = (scores: ArrayLike<number>, alphabet: readonly string[]): string => {
  const classes = alphabet.length + 2;
  let text = "";
  let previous = 0;
  for (let start = 0; start + classes <= scores.length; start += classes) {
    let best = 0;
    for (let candidate = 1; candidate < classes; candidate++) {
      if ((scores[start + candidate] ?? 0) > (scores[start + best] ?? 0)) best = candidate;
    }
    if (best !== 0 && best !== previous) text += alphabet[best - 1] ?? " ";
    previous = best;
  }
  return text;
};
