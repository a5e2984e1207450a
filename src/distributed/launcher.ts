/** The launcher that started this process along with others, by the variables that it sets. */
export interface Launcher {
  name: string;
  /** How many processes it started. */
  size: number;
  /** The number of this one. */
  rank: number;
  /** Whether they can find each other by MPI. */
  mpi: boolean;
}

/** Undefined for a process that was started alone. Asked before MPI is touched, as its start takes up to two seconds. */
export function launcherOf(environment: NodeJS.ProcessEnv): Launcher | undefined {
  const count = (name: string): number => Number(environment[name] ?? 0);
  if (count("OMPI_COMM_WORLD_SIZE") > 0)
    return { name: "Open MPI's mpirun", size: count("OMPI_COMM_WORLD_SIZE"), rank: count("OMPI_COMM_WORLD_RANK"), mpi: true };
  if (count("PMI_SIZE") > 0) return { name: "a launcher of MPICH", size: count("PMI_SIZE"), rank: count("PMI_RANK"), mpi: true };
  const tasks = count("SLURM_STEP_NUM_TASKS");
  if (tasks > 0 && environment["PMIX_RANK"] !== undefined)
    return { name: "Slurm with PMIx", size: tasks, rank: count("PMIX_RANK"), mpi: true };
  return tasks > 1 ? { name: "Slurm", size: tasks, rank: count("SLURM_PROCID"), mpi: false } : undefined;
}
