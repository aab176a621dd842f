#include "tools/capture/child_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace braid {
namespace {

// Names of the numbered entries of a /proc directory.
std::vector<std::string> NumberedEntries(const std::string& path) {
  std::vector<std::string> names;
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) return names;
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9') names.push_back(entry->d_name);
  }
  closedir(directory);
  return names;
}

// Of "pid (name) state ppid ...": the name may hold spaces and brackets.
pid_t ParentOf(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const size_t close = text.rfind(") ");
  if (close == std::string::npos || close + 4 >= text.size()) return -1;
  return std::atoi(text.c_str() + close + 4);
}

std::vector<std::string> ProcessTree(pid_t root) {
  std::multimap<pid_t, std::string> children;
  for (const std::string& pid : NumberedEntries("/proc")) children.emplace(ParentOf(pid), pid);
  std::vector<std::string> tree = {std::to_string(root)};
  for (size_t i = 0; i < tree.size(); ++i) {
    const auto [begin, end] = children.equal_range(std::atoi(tree[i].c_str()));
    for (auto child = begin; child != end; ++child) tree.push_back(child->second);
  }
  return tree;
}

// Host by which an address of /proc/net/tcp{,6} (words of the machine's order) is reached; "" if loopback does not.
std::string HostOf(std::string_view address) {
  if (address == "00000000" || address == "0100007F" || address == "00000000000000000000000000000000" ||
      address == "0000000000000000FFFF00000100007F") {
    return "127.0.0.1";
  }
  return address == "00000000000000000000000001000000" ? "[::1]" : "";
}

void AddListeners(const std::string& path, const std::set<std::string>& inodes,
                  std::map<uint16_t, std::string>* hosts) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string slot, local, remote, state, skipped, inode;
    words >> slot >> local >> remote >> state;
    for (int i = 0; i < 5; ++i) words >> skipped;
    words >> inode;
    const size_t colon = local.find(':');
    if (state != "0A" || colon == std::string::npos || !inodes.contains(inode)) continue;
    uint16_t port = 0;
    std::from_chars(local.data() + colon + 1, local.data() + local.size(), port, 16);
    const std::string host = HostOf(std::string_view(local).substr(0, colon));
    if (!host.empty()) hosts->emplace(port, host);
  }
}

void CloseAll(std::initializer_list<int> descriptors) {
  for (const int descriptor : descriptors) {
    if (descriptor >= 0) close(descriptor);
  }
}

}  // namespace

absl::StatusOr<ChildProcess> ChildProcess::Start(const std::vector<std::string>& command,
                                                 const std::vector<std::pair<std::string, std::string>>& environment,
                                                 const std::vector<int>& inherited) {
  int out[2] = {-1, -1}, err[2] = {-1, -1}, failed[2] = {-1, -1};
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0 || pipe2(failed, O_CLOEXEC) != 0) {
    CloseAll({out[0], out[1], err[0], err[1], failed[0], failed[1]});
    return absl::UnavailableError(std::string("no pipe for the program: ") + std::strerror(errno));
  }
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  // Made before the fork: the child of a process with threads may do little before it runs its program.
  std::vector<std::string> added;
  for (const auto& [name, value] : environment) added.push_back(name + "=" + value);
  std::vector<char*> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    const bool replaced = std::any_of(environment.begin(), environment.end(), [&](const auto& pair) {
      return text.size() > pair.first.size() && text.starts_with(pair.first) && text[pair.first.size()] == '=';
    });
    if (!replaced) variables.push_back(*variable);
  }
  for (std::string& text : added) variables.push_back(text.data());
  variables.push_back(nullptr);

  const pid_t pid = fork();
  if (pid == 0) {
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    // Libraries open sockets without thinking of children: a listener must not live on in the program.
    unsigned first = STDERR_FILENO + 1;
    for (const int kept : inherited) {
      if (kept < static_cast<int>(first)) continue;
      if (kept > static_cast<int>(first)) close_range(first, static_cast<unsigned>(kept) - 1, CLOSE_RANGE_CLOEXEC);
      first = static_cast<unsigned>(kept) + 1;
    }
    close_range(first, ~0U, CLOSE_RANGE_CLOEXEC);
    signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    execvpe(arguments[0], arguments.data(), variables.data());
    const int error = errno;
    // The parent reads the reason; the pipe closes by itself if the program runs.
    [[maybe_unused]] const ssize_t written = write(failed[1], &error, sizeof error);
    _exit(127);
  }
  const int fork_error = errno;
  CloseAll({out[1], err[1], failed[1]});
  int error = 0;
  if (pid < 0) {
    error = fork_error;
  } else {
    ssize_t got;
    do {
      got = read(failed[0], &error, sizeof error);
    } while (got < 0 && errno == EINTR);
    if (got != sizeof error) error = 0;
    if (error != 0) waitpid(pid, nullptr, 0);
  }
  close(failed[0]);
  if (error != 0) {
    CloseAll({out[0], err[0]});
    const std::string message = command[0] + ": " + std::strerror(error);
    if (error == ENOENT) return absl::NotFoundError(message);
    if (error == EACCES) return absl::PermissionDeniedError(message);
    return absl::UnavailableError(message);
  }
  return ChildProcess{pid, out[0], err[0]};
}

std::vector<int> OpenDescriptors() {
  std::vector<int> descriptors;
  for (const std::string& name : NumberedEntries("/proc/self/fd")) {
    const int descriptor = std::atoi(name.c_str());
    // The listing itself had one that is closed by now.
    if (fcntl(descriptor, F_GETFD) >= 0) descriptors.push_back(descriptor);
  }
  std::sort(descriptors.begin(), descriptors.end());
  return descriptors;
}

std::vector<std::string> ListeningAddresses(pid_t pid) {
  std::map<uint16_t, std::string> hosts;
  std::set<std::string> inodes;
  for (const std::string& process : ProcessTree(pid)) {
    const std::string folder = "/proc/" + process + "/fd";
    for (const std::string& descriptor : NumberedEntries(folder)) {
      char target[64];
      const ssize_t length = readlink((folder + "/" + descriptor).c_str(), target, sizeof target);
      const std::string_view link(target, length > 0 ? static_cast<size_t>(length) : 0);
      if (link.starts_with("socket:[") && link.ends_with("]")) inodes.emplace(link.substr(8, link.size() - 9));
    }
  }
  // The tables are of a network namespace; the child's is the one that its listeners are in.
  const std::string net = "/proc/" + std::to_string(pid) + "/net/";
  AddListeners(net + "tcp", inodes, &hosts);
  AddListeners(net + "tcp6", inodes, &hosts);
  std::vector<std::string> addresses;
  for (const auto& [port, host] : hosts) addresses.push_back(host + ":" + std::to_string(port));
  return addresses;
}

}  // namespace braid
