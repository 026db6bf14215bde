// Clients as the control socket shows them, and as a table for people. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/client_list.h"

namespace nightjar::cli {

std::string client_json(const broker::ClientInfo& client);

// Gathers the clients whose id contains `match`, up to a number of them.
struct ClientPage {
  std::string match;
  std::size_t clients_max = 0;
  std::vector<broker::ClientInfo> clients{};
  bool is_cut = false;  // there are more

  void add(std::vector<broker::ClientInfo> more);
  [[nodiscard]] bool is_full() const { return is_cut; }
  // {"clients": [...], "more": false}, by client id.
  [[nodiscard]] std::string to_json();
};

// A table of the answer to GET /api/v1/clients. Fails if it is none.
Result<std::string> clients_table(std::string_view answer);

}  // namespace nightjar::cli
