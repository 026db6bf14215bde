// What is wrong with a command line, in one sentence that names the word, what was probably meant, and the
// help. Pure.
#pragma once

#include <string>

namespace CLI {  // NOLINT(readability-identifier-naming): the library calls itself so
class App;
class ParseError;
}  // namespace CLI

namespace nightjar::cli {

// `app` has just failed to parse with `error`; its name is what was typed: "nightjar serve".
std::string option_error(CLI::App& app, const CLI::ParseError& error);

}  // namespace nightjar::cli
