import { describe, expect, test } from "vitest";
import { FilterError, matches, parseFilter, whyNone } from "../src/gallery/filter";
import type { RowData } from "../src/gallery/items";
import { item, picture } from "./gallery-rows";

const meets = (filter: string, facts: Partial<RowData> = {}): boolean => matches(parseFilter(filter), item(facts));

function wrong(filter: string): FilterError {
  try {
    parseFilter(filter);
  } catch (error) {
    return error as FilterError;
  }
  throw new Error(`${filter} was taken`);
}

describe("what matches", () => {
  test("an empty filter takes everything", () => expect(meets("  ")).toBe(true));

  test.each([
    ["cfg_scale >= 5 and rating >= 4", true],
    ["cfg_scale > 7", false],
    ["CFG = 7.0 and STEPS < 26", true],
    ["seed = 4101", true],
    ["seed != 4101", false],
    ["rating = 4 or rating = 1", true],
    ["not rating = 4", false],
    ["(rating = 1 or rating = 4) and steps = 25", true],
    ["rating = 1 or rating = 4 and steps = 24", false],
    ["sampler = EULER", true],
    ["sampler ~ ul", true],
    ["checkpoint = none", true],
    ["rating != none", true],
    ["lighthouse fog", true],
    ["lighthouse storm", false],
    ['"in fog"', true],
    ["'fog in'", false],
    ["status = complete kind = image", true],
    ["created = 1970-01-01", true],
    ["created > 1971", false],
  ])("%s: %s", (filter, expected) => expect(meets(filter, { outputs: [picture({ rating: 4 })] })).toBe(expected));

  test("a seed is compared to its last digit, above what a JavaScript number holds", () => {
    expect(meets("seed = 18446744073709551615", { seed: "18446744073709551615" })).toBe(true);
    expect(meets("seed = 18446744073709551615", { seed: "18446744073709551614" })).toBe(false);
    expect(meets("seed > 18446744073709551613", { seed: "18446744073709551614" })).toBe(true);
  });

  test("what an image does not have meets no comparison but none and !=", () => {
    const bare = { outputs: [picture()] };
    expect(meets("rating >= 0", bare)).toBe(false);
    expect(meets("rating < 3", bare)).toBe(false);
    expect(meets("rating != 3", bare)).toBe(true);
    expect(meets("rating = none", bare)).toBe(true);
  });

  test("a quoted field name is a word", () => expect(meets('"rating" lighthouse')).toBe(false));
});

describe("what is wrong is said where it is", () => {
  test.each([
    ["cfg_scal > 2", "cfg_scal", 0],
    ["rating >= 4 and tone = 3", "tone", 16],
    ["rating >=", "A value is missing after >=", 9],
    ["rating >= many", "is compared with a number", 10],
    ["rating >= 4 and", "missing at the end", 15],
    ["or rating = 1", "missing before", 0],
    ["(rating = 1", "closing )", 11],
    ["rating = 1)", "too much", 10],
    ['prompt ~ "fog', "has no end", 9],
    [">= 4", "A name is missing before", 0],
    ["!", "means nothing", 0],
  ])("%s", (filter, words, at) => {
    const error = wrong(filter);
    expect(error).toBeInstanceOf(FilterError);
    expect(error.message).toContain(words);
    expect(error.at).toBe(at);
  });

  test("names of JavaScript itself are no fields", () => {
    for (const name of ["constructor", "__proto__", "toString"]) expect(wrong(`${name} = 1`).message).toContain(name);
  });

  test("a filter that is far too long is refused, and a deep one does not hang", () => {
    expect(wrong("x".repeat(1_001)).message).toContain("1000");
    expect(meets(`${"(".repeat(400)}fog${")".repeat(400)}`)).toBe(true);
  });
});

describe("why nothing is left", () => {
  const items = [3, 5, 12].map((cfg_scale) => item({ cfg_scale }));
  test.each([
    ["cfg_scale > 20", "The highest cfg scale here is 12."],
    ["cfg_scale < 1 and fog", "The lowest cfg scale here is 3."],
    ["cfg_scale = 4", "The cfg scale here is 3 to 12."],
    ["sampler = ddim", "Here the sampler is euler."],
    ["checkpoint = x", "No image here has a checkpoint."],
    ["storm", ""],
    ["cfg_scale > 4 and cfg_scale < 4", ""],
  ])("%s: %s", (filter, words) => expect(whyNone(parseFilter(filter), items)).toBe(words));
});
