#include "cli/ctl.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>

#include "cli/client_json.h"
#include "cli/command_line.h"
#include "cli/control_client.h"
#include "cli/control_config.h"
#include "cli/stats_table.h"

namespace nightjar::cli {
namespace {

namespace json = boost::json;

Result<std::string> done(std::string_view) { return "done\n"; }

// What a subcommand asks, and how its answer reads for people.
struct Question {
  ControlRequest request;
  Result<std::string> (*table)(std::string_view answer) = done;
};

Question clients_question(const CtlOptions& options) {
  Question question{{.path = {"api", "v1", "clients"}}, clients_table};
  if (!options.match.empty()) question.request.query["match"] = options.match;
  if (options.limit != 0) question.request.query["limit"] = std::to_string(options.limit);
  return question;
}

Question question_of(const CtlOptions& options) {
  if (options.command == "clients") return clients_question(options);
  if (options.command == "kick")
    return {{.method = "DELETE", .path = {"api", "v1", "clients", options.client_id}}};
  if (options.command == "shard-move") {
    return {{.method = "POST",
             .path = {"api", "v1", "shards", std::to_string(options.shard), "move"},
             .body = json::serialize(json::object{{"worker", options.worker}})}};
  }
  if (options.command == "reload") {
    return {{.method = "POST",
             .path = {"api", "v1", "reload"},
             .body = json::serialize(json::object{{"plan", options.is_plan}})},
            reload_table};
  }
  if (options.command == "config")
    return {{.path = {"api", "v1", "config"}},
            options.with_origin ? config_table_with_origins : config_table};
  return {{.path = {"api", "v1", "stats"}}, stats_table};
}

Result<std::string> run(const CtlOptions& options) {
  const Question question = question_of(options);
  NJ_TRY(const std::string answer, ask_broker(options.data_dir, question.request));
  if (options.is_json) return answer + "\n";
  return question.table(answer);
}

}  // namespace

int run_ctl(int argc, char** argv) {
  const auto options = parse_ctl(argc, argv);
  if (!options) return options.error();
  const auto text = run(*options);
  if (!text) {
    fmt::print(stderr, "nightjar ctl: {}\n", text.error().message);
    return 1;
  }
  fmt::print("{}", *text);
  return 0;
}

}  // namespace nightjar::cli
