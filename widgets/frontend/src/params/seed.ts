/** Seeds are 64-bit: digits on the wire, BigInt in between, never a JSON number. */
export const SEED_MAX = 2n ** 64n - 1n;

/** The seed that a text spells, or null. */
export function parseSeed(text: string, max: bigint = SEED_MAX): bigint | null {
  const digits = text.trim();
  if (!/^\d{1,20}$/.test(digits)) return null;
  const seed = BigInt(digits);
  return seed <= max ? seed : null;
}

/** A seed out of the whole range, each as likely as any other. */
export function randomSeed(max: bigint = SEED_MAX, words: () => Uint32Array = draw): bigint {
  const span = max + 1n;
  const fair = ((SEED_MAX + 1n) / span) * span; // above it the first ones would come more often
  for (;;) {
    const [high = 0, low = 0] = words();
    const drawn = (BigInt(high) << 32n) | BigInt(low);
    if (drawn < fair) return drawn % span;
  }
}

const draw = (): Uint32Array => crypto.getRandomValues(new Uint32Array(2));

/** The largest seed that a field takes, from what the wire says. */
export function seedLimit(max: unknown): bigint {
  return max === undefined || max === null ? SEED_MAX : BigInt(String(max));
}
