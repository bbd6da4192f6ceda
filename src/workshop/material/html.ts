// SPDX-License-Identifier: MIT
//
// Small documents without scripts from elsewhere: escaping, sentences with code in them, the frame of a page.

/** Text as HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A sentence of a lesson: what stands between backticks is code. */
export function prose(text: string): string {
  return text
    .split('`')
    .map((part, index) => (index % 2 === 1 ? `<code>${escapeHtml(part)}</code>` : escapeHtml(part)))
    .join('');
}

export function paragraphs(texts: readonly string[]): string {
  return texts.map((text) => `<p>${prose(text)}</p>`).join('\n');
}

/** A whole page. @param script runs in it; there is none from elsewhere, and no network */
export function document(title: string, style: string, body: string, script = ''): string {
  const policy = `default-src 'none'; style-src 'unsafe-inline'; img-src data:${script === '' ? '' : "; script-src 'unsafe-inline'"}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
<style>
${style}</style>
</head>
<body>
${body}
${script === '' ? '' : `<script>\n${script}</script>\n`}</body>
</html>
`;
}

/** At the foot of everything that is handed out. */
export const LICENCE_LINE = 'Trapline workshop. Licence of this text: CC BY 4.0, creativecommons.org/licenses/by/4.0';
