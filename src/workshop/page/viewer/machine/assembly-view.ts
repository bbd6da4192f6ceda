// SPDX-License-Identifier: MIT
//
// Disassembly in CodeMirror, to be read only: addresses and whoever stands there in the gutter, bytes below each
// instruction. Loaded when it is looked at.

import { StreamLanguage, syntaxHighlighting } from '@codemirror/language';
import { gas } from '@codemirror/legacy-modes/mode/gas';
import { Compartment, EditorState, RangeSetBuilder, type Extension } from '@codemirror/state';
import { Decoration, EditorView, gutter, GutterMarker, WidgetType, type DecorationSet } from '@codemirror/view';

/** One instruction as it is shown. */
export interface AssemblyLine {
  readonly address: string;
  readonly text: string;
  readonly bytes: string;
  /** Whose next instruction it is: name and class of colour. */
  readonly here: readonly { readonly name: string; readonly colour: string }[];
}

export interface AssemblyView {
  /** Shows these lines; the same lines with other people at them keep their place on the screen. */
  show(lines: readonly AssemblyLine[]): void;
  dispose(): void;
}

class AddressMarker extends GutterMarker {
  readonly #line: AssemblyLine;

  constructor(line: AssemblyLine) {
    super();
    this.#line = line;
  }

  override toDOM(): HTMLElement {
    const element = document.createElement('span');
    element.textContent = this.#line.address;
    for (const { name, colour } of this.#line.here) {
      const chip = document.createElement('span');
      chip.className = `chip ${colour}`;
      chip.textContent = name;
      element.append(chip);
    }
    return element;
  }
}

class BytesWidget extends WidgetType {
  readonly #bytes: string;
  readonly #isHere: boolean;

  constructor(bytes: string, isHere: boolean) {
    super();
    this.#bytes = bytes;
    this.#isHere = isHere;
  }

  override eq(other: BytesWidget): boolean {
    return other.#bytes === this.#bytes && other.#isHere === this.#isHere;
  }

  toDOM(): HTMLElement {
    const element = document.createElement('div');
    element.className = this.#isHere ? 'asm-bytes asm-here' : 'asm-bytes';
    element.textContent = this.#bytes;
    return element;
  }
}

/** Classes by the names of what the language mode finds. */
const highlighter = {
  style: ([tag]: readonly { toString(): string }[]): string | null =>
    tag === undefined ? null : `asm-${tag.toString().replace(/\W.*/, '')}`,
};

/** Opens a view inside an element. */
export function openAssembly(element: HTMLElement, label: string): AssemblyView {
  const changing = new Compartment();
  let shown: readonly AssemblyLine[] = [];
  const view = new EditorView({ parent: element });

  const stateOf = (lines: readonly AssemblyLine[]): EditorState =>
    EditorState.create({
      doc: lines.map(({ text }) => text).join('\n'),
      extensions: [
        EditorState.readOnly.of(true),
        EditorView.editable.of(false),
        EditorView.contentAttributes.of({ tabindex: '0', 'aria-label': label, 'aria-readonly': 'true' }),
        EditorView.lineWrapping,
        StreamLanguage.define(gas),
        syntaxHighlighting(highlighter),
        changing.of(peopleOf(lines)),
      ],
    });

  return {
    show(lines) {
      const isSame =
        lines.length === shown.length && lines.every(({ text, address }, i) => isLine(shown[i], text, address));
      shown = lines;
      if (isSame) view.dispatch({ effects: changing.reconfigure(peopleOf(lines)) });
      else view.setState(stateOf(lines));
      const at = lines.findIndex(({ here }) => here.length > 0);
      if (at !== -1) {
        const { from } = view.state.doc.line(at + 1);
        view.dispatch({ effects: EditorView.scrollIntoView(from, { y: 'nearest', yMargin: 40 }) });
      }
    },
    dispose() {
      view.destroy();
    },
  };
}

function isLine(line: AssemblyLine | undefined, text: string, address: string): boolean {
  return line?.text === text && line.address === address;
}

/** Gutter and marks for one set of lines. */
function peopleOf(lines: readonly AssemblyLine[]): Extension {
  return [
    gutter({
      class: 'asm-addresses',
      lineMarker: (view, block) => {
        const line = lines[view.state.doc.lineAt(block.from).number - 1];
        return line === undefined ? null : new AddressMarker(line);
      },
    }),
    EditorView.decorations.of(marksOf(lines)),
  ];
}

/** The line of whoever is there, and below each line its bytes. */
function marksOf(lines: readonly AssemblyLine[]): DecorationSet {
  const builder = new RangeSetBuilder<Decoration>();
  let at = 0;
  for (const { text, bytes, here } of lines) {
    const end = at + text.length;
    if (here.length > 0) builder.add(at, at, Decoration.line({ class: 'asm-here' }));
    builder.add(end, end, Decoration.widget({ widget: new BytesWidget(bytes, here.length > 0), side: 1, block: true }));
    at = end + 1;
  }
  return builder.finish();
}
