// Dates as the page shows them.

/** "3 May 2019" of a date in ISO 8601, "no date" of none. */
export function formatDay(date) {
  if (!date) return "no date";
  const parsed = new Date(`${date.slice(0, 10)}T12:00:00`);
  return Number.isNaN(parsed.getTime()) ? date : parsed.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric" });
}
