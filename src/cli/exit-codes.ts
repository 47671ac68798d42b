/** How `varve` ends. */
export const EXIT_CODES = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  denied: 4,
  unreachable: 5,
  file: 6,
  damaged: 7,
  timeout: 8,
  interrupted: 130,
} as const;

/** One of the codes in the table. */
export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];

/** What each code means, for help and manual. */
export const EXIT_CODE_MEANINGS: readonly (readonly [code: ExitCode, meaning: string])[] = [
  [EXIT_CODES.ok, "done"],
  [EXIT_CODES.failure, "failed for a reason that has no code of its own"],
  [EXIT_CODES.usage, "the command line or a setting is wrong"],
  [EXIT_CODES.notFound, "the snapshot does not exist"],
  [EXIT_CODES.denied, "access denied, or wrong or missing keys"],
  [EXIT_CODES.unreachable, "the service cannot be reached"],
  [EXIT_CODES.file, "a local file or disk cannot be used"],
  [EXIT_CODES.damaged, "data failed verification"],
  [EXIT_CODES.timeout, "what was waited for did not come in time"],
  [EXIT_CODES.interrupted, "interrupted"],
];
