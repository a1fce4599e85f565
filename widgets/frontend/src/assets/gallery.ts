/** The whole gallery. Its bundle is fetched once for a page, however many galleries are in it. */
export { default } from "../gallery/pane";
