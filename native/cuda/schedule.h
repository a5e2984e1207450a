#pragma once
#include <vector>

#include "abi.h"
#include "launch.h"
#include "settings.h"

namespace lieconv::cuda {

/// A task with its place in the graph.
struct Node {
  Task task;
  size_t branch = 0;           // the stream it is captured on
  std::vector<size_t> waits;   // earlier nodes of other branches that it has to wait for
  bool awaited = false;        // a node of another branch waits for it
  cudaEvent_t done = nullptr;  // recorded behind it where it is awaited
};

/// Sums over ranks have a branch of their own: all ranks need them in one order, and nothing else waits behind one.
constexpr size_t kSumBranch = kBranches, kStreams = kBranches + 1;

/// Makes the launch of what a task has instead of launches.
void complete(Task& task, int multiprocessors);

/// Brings tasks, which are in the order of their commands, on at most `branches` parallel branches: a task waits for
/// those before it that touch the same memory (one of the two writing), and for nothing else but the order on its
/// branch. Updates that follow each other become one launch, as do a step's works, and a task that repeats an earlier
/// one whose results still stand is left out.
std::vector<Node> schedule(std::vector<Task> tasks, int multiprocessors, size_t branches);

/// `steps` steps of a schedule as one: a task of a step begins as soon as all that it needs is there, of the steps
/// before it, too.
std::vector<Node> repeated(const std::vector<Node>& step, int64_t steps, size_t branches);

/// Launches, longest path, branches, bytes and flops of a schedule.
lconv_program_stats count(const std::vector<Node>& nodes);

}  // namespace lieconv::cuda
