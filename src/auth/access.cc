#include "auth/access.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <utility>

namespace nightjar::auth {
namespace {

Result<std::string> read_file(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error))
    return fail(fmt::format("cannot read {}: it is a directory", path));
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (in.bad()) return fail(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  if (text.size() > kAccessFileBytesMax)
    return fail(fmt::format("{} is larger than {} MiB", path, kAccessFileBytesMax >> 20));
  return text;
}

// Each file is read once, however many listeners name it.
class FileReader {
 public:
  Result<std::shared_ptr<const PasswordTable>> passwords(const AccessSettings& settings) {
    const std::string& path = settings.password_file;
    if (path.empty()) return nullptr;
    auto& known = passwords_[path];
    if (known) return known;
    const auto text = read_file(path);
    if (!text) {
      return fail(fmt::format("{}{}; \"nightjar passwd -c {} USER\" makes one", settings.password_place,
                              text.error().message, path));
    }
    auto table = PasswordTable::parse(*text, path);
    if (!table) return fail(settings.password_place + table.error().message);
    summary_.push_back(fmt::format("{} user{} in {}", table->size(), table->size() == 1 ? "" : "s", path));
    known = std::make_shared<const PasswordTable>(std::move(*table));
    return known;
  }

  Result<std::shared_ptr<const AccessRules>> rules(const AccessSettings& settings) {
    const std::string& path = settings.acl_file;
    if (path.empty()) return nullptr;
    const bool is_own = !settings.is_mosquitto && path.ends_with(".toml");
    auto& known = rules_[{path, is_own}];
    if (known) return known;
    const auto text = read_file(path);
    if (!text) return fail(settings.acl_place + text.error().message);
    auto parsed = is_own ? AccessRules::parse_toml(*text, path) : AccessRules::parse_mosquitto(*text, path);
    if (!parsed) return fail(settings.acl_place + parsed.error().message);
    summary_.push_back(fmt::format("{} {}{} in {}", parsed->size(), is_own ? "rule" : "line",
                                   parsed->size() == 1 ? "" : "s", path));
    known = std::make_shared<const AccessRules>(std::move(*parsed));
    return known;
  }

  std::vector<std::string> take_summary() { return std::move(summary_); }

 private:
  std::map<std::string, std::shared_ptr<const PasswordTable>> passwords_;
  std::map<std::pair<std::string, bool>, std::shared_ptr<const AccessRules>> rules_;
  std::vector<std::string> summary_;
};

}  // namespace

Result<std::shared_ptr<const Access>> Access::load(const std::vector<AccessSettings>& listeners) {
  auto access = std::make_shared<Access>();
  FileReader files;
  for (const AccessSettings& settings : listeners) {
    ListenerAccess each{settings, {}, {}};
    NJ_TRY(each.passwords, files.passwords(settings));
    NJ_TRY(each.rules, files.rules(settings));
    access->has_rules_ |= each.rules != nullptr;
    access->listeners_.push_back(std::move(each));
  }
  if (access->listeners_.empty()) access->listeners_.emplace_back();
  access->summary_ = files.take_summary();
  return std::shared_ptr<const Access>(std::move(access));
}

bool lost_access(const Access& before, const Access& now, const broker::ClientIdentity& who) {
  if (who.user_name.empty()) return false;
  const ListenerAccess& then = before.of(who.listener);
  const ListenerAccess& here = now.of(who.listener);
  if (!then.passwords || !here.passwords) return false;
  // Whoever is not in the file came by his certificate.
  const PasswordHash* old = then.passwords->find(who.user_name);
  if (old == nullptr) return false;
  const PasswordHash* present = here.passwords->find(who.user_name);
  return present == nullptr || present->text() != old->text();
}

}  // namespace nightjar::auth
