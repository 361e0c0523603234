import { crc32, deflateSync } from 'node:zlib';

/** For tests: letters as 7 rows of 5 dots. */
const glyphs: Readonly<Record<string, readonly string[]>> = {
  H: ['#...#', '#...#', '#...#', '#####', '#...#', '#...#', '#...#'],
  E: ['#####', '#....', '#....', '####.', '#....', '#....', '#####'],
  L: ['#....', '#....', '#....', '#....', '#....', '#....', '#####'],
  O: ['.###.', '#...#', '#...#', '#...#', '#...#', '#...#', '.###.'],
  R: ['####.', '#...#', '#...#', '####.', '#.#..', '#..#.', '#...#'],
  T: ['#####', '..#..', '..#..', '..#..', '..#..', '..#..', '..#..'],
};

const scale = 6;
const margin = 24;

/** For tests: the letters H, E, L, O, R and T and blanks, black on white, as a PNG of some hundred bytes. */
export const pngOf = (text: string): Buffer => {
  const width = text.length * 6 * scale + 2 * margin;
  const height = 7 * scale + 2 * margin;
  const rows = Array.from({ length: height }, (_, y) => {
    const dots = Array.from({ length: width }, (_, x) => (isBlack(text, x - margin, y - margin) ? 0 : 255));
    return Buffer.from([0, ...dots]);
  });
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  const parts = [chunk('IHDR', header), chunk('IDAT', deflateSync(Buffer.concat(rows))), chunk('IEND', Buffer.of())];
  return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), ...parts]);
};

const isBlack = (text: string, x: number, y: number): boolean => {
  const column = Math.floor(x / scale);
  const glyph = glyphs[text[Math.floor(column / 6)] ?? ''];
  return glyph?.[Math.floor(y / scale)]?.[column % 6] === '#';
};

const chunk = (type: string, data: Buffer): Buffer => {
  const body = Buffer.concat([Buffer.from(type), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
};
