// SPDX-License-Identifier: MIT
//
// Recordings out of files and out of the page itself; what is wrong with one is said in the parser's own sentence.

import { DEFLATED, ELEMENT_ID, ENCODING_ATTRIBUTE, fromBase64 } from '../../../trace/recording/embedded.ts';
import type { Recording } from '../../../trace/recording/format.ts';
import { parseRecordings } from '../../../trace/recording/parse.ts';

/** Recordings, or why there are none. */
export type Opened =
  { readonly ok: true; readonly recordings: readonly Recording[] } | { readonly ok: false; readonly sentence: string };

/** Reads the text of a recording file, or of a page that holds one. */
export async function openText(text: string): Promise<Opened> {
  try {
    return { ok: true, recordings: parseRecordings(isPage(text) ? await pageContent(text) : text) };
  } catch (error) {
    return { ok: false, sentence: error instanceof Error ? error.message : String(error) };
  }
}

/** The recordings that this page was made with; undefined where it is the empty template. */
export async function openEmbedded(): Promise<Opened | undefined> {
  const element = document.getElementById(ELEMENT_ID);
  const content = element?.textContent?.trim() ?? '';
  if (element === null || content === '') return undefined;
  try {
    return await openText(await decoded(content, element.getAttribute(ENCODING_ATTRIBUTE)));
  } catch (error) {
    return { ok: false, sentence: error instanceof Error ? error.message : String(error) };
  }
}

function isPage(text: string): boolean {
  return /^\s*<(!doctype|html)/i.test(text);
}

/** What `--html FILE` put into a page. */
function pageContent(html: string): Promise<string> {
  const element = new DOMParser().parseFromString(html, 'text/html').getElementById(ELEMENT_ID);
  return decoded(element?.textContent?.trim() ?? '', element?.getAttribute(ENCODING_ATTRIBUTE) ?? null);
}

async function decoded(content: string, encoding: string | null): Promise<string> {
  if (encoding !== DEFLATED) return content;
  const inflated = new Blob([fromBase64(content).slice()]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Response(inflated).text();
}
