import { expect, test } from 'vitest';
import { textTable } from './text-table.ts';

test('pads columns to their widest cell', () => {
  const table = textTable(
    ['NAME', 'CALLS', 'IMAGE'],
    [
      ['a', '5', 'x'],
      ['figlet', '12000', 'figlet:1'],
    ],
    ['left', 'right'],
  );
  expect(table.split('\n')).toEqual(['NAME    CALLS  IMAGE', 'a           5  x', 'figlet  12000  figlet:1']);
});

test('an empty table is its header', () => {
  expect(textTable(['A', 'B'], [])).toBe('A  B');
});
