import { open } from 'node:fs/promises';

/** Puts a folder's entries on the disk: a rename or a new file lasts through a power cut only after this. */
export const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};
