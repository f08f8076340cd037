/** The public API of built declaration files as text: every exported declaration, by name, without comments. */
import { join } from "node:path";
import ts from "typescript";

export interface EntryPoint {
  /** How it is imported. */
  readonly specifier: string;
  /** Its declaration file. */
  readonly types: string;
}

const printer = ts.createPrinter({ removeComments: true });

const print = (node: ts.Node) =>
  printer
    .printNode(ts.EmitHint.Unspecified, node, node.getSourceFile())
    .replace(/^(export |declare )+/, "")
    .replace(/^ +/gm, (indent) => indent.replaceAll("    ", "  "));

/** The statement that declares something: of a variable, the whole `const x: T;`. */
const statement = (node: ts.Node) => (ts.isVariableDeclaration(node) ? node.parent.parent : node);

/** The symbols of one package, and what their declarations mention. */
class Symbols {
  readonly #checker: ts.TypeChecker;
  readonly #folder: string;

  constructor(program: ts.Program, folder: string) {
    this.#checker = program.getTypeChecker();
    this.#folder = folder.replaceAll("\\", "/");
  }

  exportsOf(file: ts.SourceFile | undefined): ts.Symbol[] {
    const module = file && this.#checker.getSymbolAtLocation(file);
    if (!module) throw new Error(`there is no built module to report on: ${file?.fileName ?? "no file"}`);
    const exported = this.#checker.getExportsOfModule(module);
    return exported.sort((a, b) => (a.name < b.name ? -1 : 1)).map((symbol) => this.#original(symbol));
  }

  /** Top-level declarations inside the package. */
  declarations(symbol: ts.Symbol): ts.Node[] {
    const all = (symbol.declarations ?? []).map(statement);
    return all.filter(
      (node) => ts.isSourceFile(node.parent ?? node) && node.getSourceFile().fileName.startsWith(this.#folder),
    );
  }

  /** Adds to `found` everything of the package that `symbol` mentions, and itself. */
  mentioned(symbol: ts.Symbol, found: Set<ts.Symbol>): void {
    if (found.has(symbol) || this.declarations(symbol).length === 0) return;
    found.add(symbol);
    const visit = (node: ts.Node): void => {
      const named = ts.isIdentifier(node) ? this.#checker.getSymbolAtLocation(node) : undefined;
      if (named) this.mentioned(this.#original(named), found);
      ts.forEachChild(node, visit);
    };
    for (const declaration of this.declarations(symbol)) visit(declaration);
  }

  text = (symbol: ts.Symbol) => this.declarations(symbol).map(print).join("\n");

  #original(symbol: ts.Symbol): ts.Symbol {
    return symbol.flags & ts.SymbolFlags.Alias ? this.#checker.getAliasedSymbol(symbol) : symbol;
  }
}

const section = (title: string, declarations: readonly string[]) =>
  declarations.length === 0 ? "" : `\n## ${title}\n\n\`\`\`ts\n${declarations.join("\n\n")}\n\`\`\`\n`;

/** One section per entry point, and one with what they mention but none of them exports. */
export function apiOf(folder: string, entryPoints: readonly EntryPoint[]): string {
  const files = entryPoints.map(({ types }) => join(folder, types));
  const program = ts.createProgram(files, { module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2023 });
  const symbols = new Symbols(program, folder);
  const exported = files.map((file) => symbols.exportsOf(program.getSourceFile(file)));
  const mentioned = new Set<ts.Symbol>();
  for (const symbol of exported.flat()) symbols.mentioned(symbol, mentioned);
  for (const symbol of exported.flat()) mentioned.delete(symbol);
  const hidden = [...mentioned].map(symbols.text).sort();
  return [
    ...entryPoints.map(({ specifier }, index) => section(specifier, (exported[index] ?? []).map(symbols.text))),
    section("Mentioned above, but not exported", hidden),
  ].join("");
}
