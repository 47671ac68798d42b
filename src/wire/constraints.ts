import { ServiceFault } from "./errors.ts";
import { serializationFault } from "./json.ts";

/** Bounds of an integer member, both inclusive. */
export interface IntegerBounds {
  readonly min: number;
  readonly max?: number;
}

/** Bounds of a text member. */
export interface TextBounds {
  readonly minLength?: number;
  readonly maxLength: number;
  readonly pattern: RegExp;
}

/** Characters of a refused value that the message repeats (ours). */
const SHOWN_CHARACTERS_MAX = 2_100;
/** Largest value of the members that the model calls integer. */
const INTEGER_MAX = 2_147_483_647;

/**
 * Collects what is wrong with a request's members, in the framework's words, so that all of it is
 * said at once: `1 validation error detected: Value '99' at 'maxResults' failed to satisfy
 * constraint: …`. Call `check` when every member has been looked at.
 */
export class Constraints {
  readonly #failures: string[] = [];
  readonly #failedMembers = new Set<string>();

  /** An optional integer written as text, in a header, a path or a query. */
  integerText(member: string, text: string | undefined, bounds: IntegerBounds): number | undefined {
    if (text === undefined) return undefined;
    if (!/^-?[0-9]{1,15}$/.test(text)) {
      this.#fail(`'${text}'`, member, "Member must be a whole number");
      return undefined;
    }
    return this.integer(member, Number(text), bounds);
  }

  /** An optional integer of a JSON body. */
  integer(
    member: string,
    value: unknown,
    { min, max = INTEGER_MAX }: IntegerBounds,
  ): number | undefined {
    if (value === undefined || value === null) return undefined;
    if (typeof value !== "number") throw wrongType(value, "Integer");
    if (!Number.isInteger(value)) throw wrongType(value, "Integer");
    if (value < min) {
      this.#fail(`'${value}'`, member, `Member must have value greater than or equal to ${min}`);
    } else if (value > max) {
      this.#fail(`'${value}'`, member, `Member must have value less than or equal to ${max}`);
    }
    return value;
  }

  /** An optional text. */
  text(member: string, value: unknown, bounds: TextBounds): string | undefined {
    if (value === undefined || value === null) return undefined;
    if (typeof value !== "string") throw wrongType(value, "String");
    const { minLength = 0, maxLength, pattern } = bounds;
    if (value.length > maxLength) {
      const constraint = `Member must have length less than or equal to ${maxLength}`;
      this.#fail(`'${value}'`, member, constraint);
    } else if (value.length < minLength) {
      const constraint = `Member must have length greater than or equal to ${minLength}`;
      this.#fail(`'${value}'`, member, constraint);
    } else if (!pattern.test(value)) {
      const constraint = `Member must satisfy regular expression pattern: ${pattern.source}`;
      this.#fail(`'${value}'`, member, constraint);
    }
    return value;
  }

  /** An optional text out of a few. */
  oneOf(member: string, value: string | undefined, values: readonly string[]): string | undefined {
    if (value !== undefined && !values.includes(value)) {
      const constraint = `Member must satisfy enum value set: [${values.join(", ")}]`;
      this.#fail(`'${value}'`, member, constraint);
    }
    return value;
  }

  /** A member that must be there. Answers `fallback` when it is not; `check` will throw. */
  required<T>(member: string, value: T | undefined, fallback: T): T {
    if (value !== undefined) return value;
    // A member that failed its own check has been reported already.
    if (!this.#failedMembers.has(member)) this.#fail("null", member, "Member must not be null");
    return fallback;
  }

  /** Throws if anything was wrong. */
  check(): void {
    if (this.#failures.length > 0) throw faultOf(this.#failures);
  }

  #fail(shown: string, member: string, constraint: string): void {
    this.#failedMembers.add(member);
    // The longest value within bounds is a key's ARN; of anything longer the start identifies it.
    const isLong = shown.length > SHOWN_CHARACTERS_MAX;
    const value = isLong ? `${shown.slice(0, SHOWN_CHARACTERS_MAX)}…'` : shown;
    const subject =
      value === "null" ? `Value null at '${member}'` : `Value ${value} at '${member}'`;
    this.#failures.push(`${subject} failed to satisfy constraint: ${constraint}`);
  }
}

function faultOf(failures: readonly string[]): ServiceFault {
  const count = failures.length;
  const errors = count === 1 ? "error" : "errors";
  return new ServiceFault({
    status: 400,
    code: "ValidationException",
    message: `${count} validation ${errors} detected: ${failures.join("; ")}`,
    isValidation: true,
    firstAlone: count === 1 ? undefined : faultOf(failures.slice(0, 1)),
  });
}

/** The framework's words for a JSON value of another type than the member's. */
export function wrongType(value: unknown, wanted: string): ServiceFault {
  const kind = Array.isArray(value) ? "START_ARRAY" : (KIND_OF_TYPE[typeof value] ?? "VALUE");
  return serializationFault(`${kind} can not be converted to a ${wanted}`);
}

const KIND_OF_TYPE: Readonly<Record<string, string>> = {
  string: "STRING_VALUE",
  number: "NUMBER_VALUE",
  boolean: "BOOLEAN_VALUE",
  object: "START_OBJECT",
};
