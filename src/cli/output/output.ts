import type { FailureDescription } from "../describe-error.ts";

/** What a command may write to, and how. */
export interface OutputOptions {
  /** One JSON object on standard output, JSON lines on standard error. */
  readonly json: boolean;
  /** Nothing on standard error but failures. */
  readonly quiet: boolean;
}

/**
 * Standard output carries the result and nothing else, so that it can be piped; all else goes to
 * standard error.
 */
export class Output {
  readonly options: OutputOptions;

  constructor(options: OutputOptions) {
    this.options = options;
  }

  /** The command's result: as an object for programs, or as text for people. */
  result(value: object, text: string): void {
    const line = this.options.json ? JSON.stringify(value) : text;
    if (line !== "") process.stdout.write(`${line}\n`);
  }

  /** Something worth knowing along the way. */
  note(text: string, event: object): void {
    if (this.options.quiet) return;
    process.stderr.write(`${this.options.json ? JSON.stringify(event) : text}\n`);
  }

  /** Why it failed. */
  failure(failure: FailureDescription): void {
    const text = this.options.json
      ? JSON.stringify({ error: failure })
      : `varve: ${failure.message}`;
    process.stderr.write(`${text}\n`);
  }
}
