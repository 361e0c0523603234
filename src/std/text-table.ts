export type Align = 'left' | 'right';

/** Rows under a header, columns padded to their widest cell and two spaces apart; no trailing spaces. */
export const textTable = (
  header: readonly string[],
  rows: readonly (readonly string[])[],
  aligns: readonly Align[] = [],
): string => {
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const pad = (cell: string, column: number): string =>
    aligns[column] === 'right' ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0);
  return lines.map((line) => line.map(pad).join('  ').trimEnd()).join('\n');
};
