import { Icon } from "../core/parts";

/** Five stars; the one that is set takes the rating away. */
export function Rating({ value, rate }: { value: number | undefined; rate(rating: number | null): void }) {
  return (
    <span class="rating" role="group" aria-label={value === 0 ? "Rating: rejected" : "Rating"}>
      {[1, 2, 3, 4, 5].map((stars) => (
        <button
          type="button"
          class={stars <= (value ?? 0) ? "on" : ""}
          aria-label={`${stars} of 5`}
          aria-pressed={stars === value}
          title={`${stars} of 5 (${stars})`}
          onClick={() => rate(stars === value ? null : stars)}
        >
          <Icon name="star" />
        </button>
      ))}
    </span>
  );
}
