/// A shipped recipe: a file of `configs`, as the build has put it into the program.
public struct RecipeFile: Sendable {
  /// The file's name without its suffix: `003-sample`.
  public let name: String
  /// The file's text, a configuration with a `recipe:` part that says where it is from.
  public let yaml: String

  private init(_ name: String, _ bytes: [UInt8]) {
    self.name = name
    yaml = String(decoding: bytes, as: UTF8.self)
  }

  /// Every recipe, in the order of the reports. The folder is a link to `configs`, whose files SwiftPM turns into bytes
  /// of `PackageResources`, each under its name without what no identifier may hold.
  public static let all = [
    RecipeFile("000-baseline", PackageResources._00_baseline_yaml),
    RecipeFile("000-sap", PackageResources._00_sap_yaml),
    RecipeFile("001-original", PackageResources._01_original_yaml),
    RecipeFile("001-modified-6layers", PackageResources._01_modified_6layers_yaml),
    RecipeFile("001-modified-1layer", PackageResources._01_modified_1layer_yaml),
    RecipeFile("002-sample", PackageResources._02_sample_yaml),
    RecipeFile("002-medium", PackageResources._02_medium_yaml),
    RecipeFile("002-medium-1layer", PackageResources._02_medium_1layer_yaml),
    RecipeFile("002-strong", PackageResources._02_strong_yaml),
    RecipeFile("002-boss", PackageResources._02_boss_yaml),
    RecipeFile("003-sample", PackageResources._03_sample_yaml),
    RecipeFile("003-2layers", PackageResources._03_2layers_yaml),
    RecipeFile("003-nhead1", PackageResources._03_nhead1_yaml),
    RecipeFile("003-nhead4", PackageResources._03_nhead4_yaml),
    RecipeFile("003-3layers", PackageResources._03_3layers_yaml),
    RecipeFile("003-conformer2", PackageResources._03_conformer2_yaml),
    RecipeFile("003-conformer3", PackageResources._03_conformer3_yaml),
    RecipeFile("003-conformer4", PackageResources._03_conformer4_yaml),
    RecipeFile("003-linear-head", PackageResources._03_linear_head_yaml),
    RecipeFile("003-sap-simple", PackageResources._03_sap_simple_yaml),
    RecipeFile("003-sap-full64", PackageResources._03_sap_full64_yaml),
    RecipeFile("003-sap-full128", PackageResources._03_sap_full128_yaml),
    RecipeFile("004-task1", PackageResources._04_task1_yaml),
    RecipeFile("004-task2", PackageResources._04_task2_yaml),
  ]

  /// What others do to the data on the way into a training: the files of `configs/augment`, to be given beside a recipe.
  public static let augmentations = [
    RecipeFile("augment/kaldi", PackageResources.kaldi_yaml),
    RecipeFile("augment/speechbrain", PackageResources.speechbrain_yaml),
    RecipeFile("augment/wespeaker", PackageResources.wespeaker_yaml),
  ]

  /// The recipe or augmentation of that name.
  public static func named(_ name: String) -> RecipeFile? {
    (all + augmentations).first { $0.name == name }
  }
}
