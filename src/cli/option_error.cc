#include "cli/option_error.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>
#include <vector>

#include "config/suggest.h"

namespace nightjar::cli {
namespace {

// Names of the options, without dashes, of `app` and of the subcommand that was given: those of both are
// taken on either side of it.
std::vector<std::string> option_names(CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    names.insert(names.end(), option->get_lnames().begin(), option->get_lnames().end());
  }
  for (CLI::App* given : app.get_subcommands()) {
    for (const CLI::Option* option : given->get_options()) {
      names.insert(names.end(), option->get_lnames().begin(), option->get_lnames().end());
    }
  }
  return names;
}

std::vector<std::string> command_names(CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

std::string meant(std::string_view typed, const std::vector<std::string>& known, std::string_view dashes) {
  const std::vector<std::string_view> words{known.begin(), known.end()};
  const auto near = config::suggest(typed, words);
  return near ? fmt::format("; did you mean \"{}{}\"?", dashes, *near) : "";
}

std::string unknown_word(CLI::App& app, std::string_view word) {
  if (word.starts_with("--")) {
    const std::string_view name = word.substr(2, word.find('=') - 2);
    return fmt::format("unknown option \"--{}\"{}", name, meant(name, option_names(app), "--"));
  }
  if (word.starts_with('-')) return fmt::format("unknown option \"{}\"", word);
  const std::vector<std::string> commands = command_names(app);
  if (!commands.empty() && app.get_subcommands().empty()) {
    return fmt::format("unknown command \"{}\"{}", word, meant(word, commands, ""));
  }
  return fmt::format("unexpected argument \"{}\"", word);
}

}  // namespace

std::string option_error(CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> left_over = app.remaining(true);
  // A word that nobody knows is the cause, whatever it led to; a word beside an unknown option is its value.
  const auto option = std::find_if(left_over.begin(), left_over.end(),
                                   [](const std::string& word) { return word.starts_with('-'); });
  const std::string what = left_over.empty()
                               ? error.what()
                               : unknown_word(app, option != left_over.end() ? *option : left_over.front());
  return fmt::format("{}\n\"{} --help\" lists the options.", what, app.get_name());
}

}  // namespace nightjar::cli
