/**
 * How `varve` ends:
 *
 * | code | meaning                                        |
 * |-----:|------------------------------------------------|
 * |    0 | done                                           |
 * |    1 | failed for a reason that has no code of its own |
 * |    2 | the command line or a setting is wrong         |
 * |    3 | the snapshot does not exist                    |
 * |    4 | access denied, or wrong or missing keys        |
 * |    5 | the service cannot be reached                  |
 * |    6 | a local file or disk cannot be used            |
 * |    7 | data failed verification                       |
 * |    8 | what was waited for did not come in time       |
 * |  130 | interrupted                                    |
 */
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
