#include "cli/ctl.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>

#include "cli/command_line.h"
#include "cli/control_answer.h"
#include "cli/control_socket.h"
#include "cli/data_dir.h"
#include "cli/stats_table.h"

namespace nightjar::cli {
namespace {

namespace json = boost::json;

Result<std::string> ask(const CtlOptions& options) {
  const json::object request{{"command", options.command},
                             {"client", options.client_id},
                             {"shard", options.shard},
                             {"worker", options.worker}};
  const auto socket = std::filesystem::absolute(options.data_dir) / kControlSocketName;
  NJ_TRY(const net::Fd connection, connect_to(socket));
  NJ_CHECK(send_line(connection, json::serialize(request)));
  return receive_line(connection, kControlAnswerBytesMax);
}

Result<std::string> run(const CtlOptions& options) {
  NJ_TRY(const std::string answer, ask(options));
  NJ_CHECK(check_answer(answer));
  if (options.is_json) return answer + "\n";
  return options.command == "stats" ? stats_table(answer) : "done\n";
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
