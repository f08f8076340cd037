/** Draws the recorded run as the picture in the README. */
import { writeFileSync } from "node:fs";
import { draw, PICTURE } from "./picture.ts";

writeFileSync(PICTURE, draw());
