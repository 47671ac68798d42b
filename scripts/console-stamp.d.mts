/** True when there is nothing to build. */
export function isConsoleBuilt(root: string): boolean;
/** Remembers that dist/console was built from the sources of that stamp. */
export function noteConsoleBuilt(root: string, stamp: string): void;
/** SHA-256 over the names and contents of all that the console is built from. */
export function consoleStamp(root: string): string;
