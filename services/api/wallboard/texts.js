// Every word that the page says, by language.

import { en } from "./texts_en.js";
import { fr } from "./texts_fr.js";

export const TEXTS = { fr, en };
