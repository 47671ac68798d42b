/** Names the period that a time lies in, by the calendar of one time zone. */
export interface Calendar {
  /** `2026-11-25T23Z`, `2026-11-25T23+01:00`: with the offset, since an hour may come twice. */
  hour(timeMs: number): string;
  /** `2026-11-25`. */
  day(timeMs: number): string;
  /** ISO 8601: `2026-W48`, weeks beginning on Monday. */
  week(timeMs: number): string;
  /** `2026-11`. */
  month(timeMs: number): string;
  /** `2026`. */
  year(timeMs: number): string;
}

const MS_PER_DAY = 86_400_000;

/** The calendar of a time zone by its IANA name. Throws a `RangeError` for a name that is none. */
export function calendarOf(timeZone: string): Calendar {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    calendar: "gregory",
    numberingSystem: "latn",
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    timeZoneName: "longOffset",
  });
  const partsOf = (timeMs: number) => {
    const found: Record<string, string> = {};
    for (const { type, value } of format.formatToParts(timeMs)) found[type] = value;
    const { year = "", month = "", day = "", hour = "", timeZoneName = "" } = found;
    // Versions of ICU differ in whether they write an offset of nothing.
    const offset = timeZoneName.replace("GMT", "").replace(/^(?:\+00:00)?$/, "Z");
    return { year: year.padStart(4, "0"), month, day, hour, offset };
  };
  const day = (timeMs: number) => {
    const { year, month, day: date } = partsOf(timeMs);
    return `${year}-${month}-${date}`;
  };
  return {
    hour(timeMs) {
      const { hour, offset } = partsOf(timeMs);
      return `${day(timeMs)}T${hour}${offset}`;
    },
    day,
    week: (timeMs) => weekOf(Date.parse(day(timeMs))),
    month: (timeMs) => day(timeMs).slice(0, 7),
    year: (timeMs) => day(timeMs).slice(0, 4),
  };
}

/** The ISO week of a day, given as its midnight in UTC: the year is that of the week's Thursday. */
function weekOf(dayMs: number): string {
  const weekday = (new Date(dayMs).getUTCDay() + 6) % 7;
  const thursday = new Date(dayMs + (3 - weekday) * MS_PER_DAY);
  const year = thursday.getUTCFullYear();
  const ordinal = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / MS_PER_DAY);
  return `${year}-W${String(1 + Math.floor(ordinal / 7)).padStart(2, "0")}`;
}
