import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const hasProgram = async (name: string): Promise<boolean> => {
  try {
    await run(name, ['-v']);
    return true;
  } catch (error) {
    // Some exit with 1 after saying their version.
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
};

/** Ends the script with 1, and says what is to be installed, unless all of them are there. */
export const needPrograms = async (...names: readonly string[]): Promise<void> => {
  const there = await Promise.all(names.map(hasProgram));
  const missing = names.filter((_name, index) => !there[index]);
  if (missing.length === 0) return;
  console.error(
    `this measures with ${missing.join(' and ')}, not installed here (Debian: apt-get install ${missing.join(' ')})`,
  );
  process.exit(1);
};
